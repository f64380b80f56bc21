// SPDX-License-Identifier: Apache-2.0
#include "preflight/path_walk.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "base/text.hpp"

namespace allocd::preflight {

namespace {

constexpr int kMaxLinks = 40;
constexpr std::size_t kMaxComponents = 4096;

WalkOutcome outcome_of(int error) {
  if (error == ENOENT || error == ENOTDIR) return WalkOutcome::absent;
  return error == EACCES || error == EPERM ? WalkOutcome::denied : WalkOutcome::not_followable;
}

class Walk {
 public:
  explicit Walk(base::UniqueFd base) { directories_.push_back({std::move(base), ""}); }

  std::expected<Walked, WalkOutcome> follow(std::string_view path) {
    if (!note_base()) return std::unexpected(WalkOutcome::denied);
    prepend(path);
    while (!pending_.empty()) {
      const std::string name = std::move(pending_.back());
      pending_.pop_back();
      if (const int error = step(name); error != 0) return std::unexpected(outcome_of(error));
    }
    return finish();
  }

 private:
  struct Directory {
    base::UniqueFd fd;
    std::string path;  // "" for the base
  };

  bool note_base() {
    struct stat status{};
    if (::fstat(directories_.front().fd.get(), &status) != 0) return false;
    result_.passed.push_back({"/", status});
    return true;
  }

  void prepend(std::string_view path) {
    const auto names = base::split(path, '/');
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
      if (!name->empty() && *name != ".") pending_.emplace_back(*name);
    }
  }

  // 0 or an errno value.
  int step(const std::string& name) {
    if (pending_.size() > kMaxComponents) return ENAMETOOLONG;
    if (name == "..") {
      if (directories_.size() > 1) directories_.pop_back();
      return 0;
    }
    base::UniqueFd fd(::openat(directories_.back().fd.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat status{};
    if (!fd || ::fstat(fd.get(), &status) != 0) return errno;
    const std::string path = directories_.back().path + "/" + name;
    if (S_ISLNK(status.st_mode)) return follow_link(fd.get(), path, status);
    if (S_ISDIR(status.st_mode)) {
      result_.passed.push_back({path, status});
      directories_.push_back({std::move(fd), path});
      return 0;
    }
    if (!pending_.empty()) return ENOTDIR;
    result_.path = path;
    result_.status = status;
    result_.name = name;
    return 0;
  }

  int follow_link(int fd, const std::string& path, const struct stat& status) {
    if (++links_ > kMaxLinks) return ELOOP;
    std::array<char, PATH_MAX> target{};
    const ssize_t length = ::readlinkat(fd, "", target.data(), target.size());
    if (length <= 0) return length < 0 ? errno : ENOENT;
    result_.passed.push_back({path, status});
    const std::string_view text(target.data(), static_cast<std::size_t>(length));
    if (text.front() == '/') directories_.erase(directories_.begin() + 1, directories_.end());
    prepend(text);
    return 0;
  }

  std::expected<Walked, WalkOutcome> finish() {
    Directory& last = directories_.back();
    if (result_.name.empty()) {
      if (::fstat(last.fd.get(), &result_.status) != 0) return std::unexpected(outcome_of(errno));
      result_.path = last.path.empty() ? "/" : last.path;
    }
    result_.parent = std::move(last.fd);
    return std::move(result_);
  }

  std::vector<Directory> directories_;
  std::vector<std::string> pending_;  // the next one last
  Walked result_;
  int links_ = 0;
};

std::expected<base::UniqueFd, WalkOutcome> open_base(const host::Root& root,
                                                     std::string_view root_directory) {
  if (root_directory.empty() || root_directory == "/") {
    base::UniqueFd fd(::openat(root.fd(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return std::unexpected(outcome_of(errno));
    return fd;
  }
  auto walked = read_path(root, "", root_directory);
  if (!walked) return std::unexpected(walked.error());
  if (!S_ISDIR(walked->status.st_mode)) return std::unexpected(WalkOutcome::absent);
  return std::move(walked->parent);
}

}  // namespace

std::expected<Walked, WalkOutcome> read_path(const host::Root& root, std::string_view root_directory,
                                             std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return std::unexpected(WalkOutcome::not_followable);
  auto base = open_base(root, root_directory);
  if (!base) return std::unexpected(base.error());
  return Walk(std::move(*base)).follow(path);
}

base::Result<base::UniqueFd> open_regular(const Walked& walked) {
  // A device that is opened may act; so what it is was asked before, and is asked again after.
  if (!S_ISREG(walked.status.st_mode)) return base::fault_from_errno("read", walked.path, EINVAL);
  base::UniqueFd fd(::openat(walked.parent.get(), walked.name.c_str(),
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return base::fault_from_errno("read", walked.path, errno);
  struct stat now{};
  if (::fstat(fd.get(), &now) != 0) return base::fault_from_errno("stat", walked.path, errno);
  if (now.st_dev != walked.status.st_dev || now.st_ino != walked.status.st_ino) {
    return base::fault_from_errno("read", walked.path, EINVAL);
  }
  return fd;
}

}  // namespace allocd::preflight
