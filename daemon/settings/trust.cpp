// SPDX-License-Identifier: Apache-2.0
#include "settings/trust.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <deque>
#include <string_view>

#include "base/text.hpp"
#include "settings/value_error.hpp"

namespace allocd::settings {

namespace {

constexpr int kMostLinks = 40;  // as the kernel's own

std::optional<Distrust> judge(const struct stat& status, uid_t owner) {
  if (status.st_uid != owner) return Distrust::foreign_owner;
  if ((status.st_mode & S_IWOTH) != 0) return Distrust::world_writable;
  if ((status.st_mode & S_IWGRP) != 0) return Distrust::group_writable;  // also what an access list allows
  return std::nullopt;
}

// Walks one path part by part. `done_` has been looked at, and holds no link.
class Walk {
 public:
  Walk(const host::Root& root, uid_t owner, const std::string& file)
      : root_(root), owner_(owner), file_(file) {
    push_parts(file);
  }

  base::Result<std::optional<Untrusted>> run() {
    auto found = look_at("/");
    while (found && !*found && !rest_.empty()) found = step();
    return found;
  }

 private:
  using Found = base::Result<std::optional<Untrusted>>;

  // Before what is left, so that the target of a link comes first.
  void push_parts(std::string_view path) {
    const auto parts = base::split(path, '/');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (!part->empty() && *part != ".") rest_.emplace_front(*part);
    }
  }

  Found step() {
    const auto part = std::move(rest_.front());
    rest_.pop_front();
    if (part == "..") {
      done_.erase(done_.empty() ? 0 : done_.rfind('/'));
      return std::nullopt;
    }
    const auto path = fmt::format("{}/{}", done_, part);
    const auto target = root_.read_link(path);
    if (target) return follow(*target, path);
    if (target.error().code != EINVAL) return std::unexpected(target.error());  // EINVAL: not a link
    done_ = path;
    return look_at(path);
  }

  Found follow(std::string_view target, const std::string& link) {
    if (++links_ > kMostLinks) return Untrusted{Distrust::too_many_links, link, file_};
    if (target.starts_with('/')) done_.clear();
    push_parts(target);
    return std::nullopt;
  }

  Found look_at(const std::string& path) const {
    const auto status = root_.status(path);
    if (!status) return std::unexpected(status.error());
    if (const auto reason = judge(*status, owner_)) return Untrusted{*reason, path, file_};
    if (!S_ISDIR(status->st_mode) && !S_ISREG(status->st_mode)) {
      return Untrusted{Distrust::not_a_file, path, file_};
    }
    return std::nullopt;
  }

  const host::Root& root_;
  uid_t owner_;
  const std::string& file_;
  std::string done_;  // "" is the root
  std::deque<std::string> rest_;
  int links_ = 0;
};

}  // namespace

std::string Untrusted::sentence() const {
  const auto name = base::escape_for_terminal(path);
  switch (reason) {
    case Distrust::foreign_owner:
      return fmt::format("{} does not belong to root", name);
    case Distrust::group_writable:
      return fmt::format("{} is writable by its group", name);
    case Distrust::world_writable:
      return fmt::format("{} is writable by everybody", name);
    case Distrust::not_a_file:
      return fmt::format("{} is neither a file nor a directory", name);
    case Distrust::too_many_links:
      break;
  }
  return fmt::format("{} is a symbolic link in a circle", name);
}

std::string Untrusted::next_step() const {
  const auto name = base::escape_for_terminal(path);
  switch (reason) {
    case Distrust::foreign_owner:
      return fmt::format("chown root {}", name);
    case Distrust::group_writable:
    case Distrust::world_writable:
      return fmt::format("chmod go-w {}", name);
    case Distrust::not_a_file:
    case Distrust::too_many_links:
      break;
  }
  return "";
}

base::Result<std::optional<Untrusted>> check_trusted(const host::Root& root,
                                                     const std::vector<std::string>& files, uid_t owner) {
  for (const auto& file : files) {
    auto found = Walk(root, owner, file).run();
    if (!found || *found) return found;
  }
  return std::nullopt;
}

}  // namespace allocd::settings
