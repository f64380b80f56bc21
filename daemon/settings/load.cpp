// SPDX-License-Identifier: Apache-2.0
#include "settings/load.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "settings/source_lines.hpp"

namespace allocd::settings {

namespace {

constexpr std::string_view kSuffix = ".yaml";

Problem problem_of_file(const std::string& path, std::string message, std::string hint = {}) {
  return {{path, 0, 0}, std::move(message), std::move(hint), ""};
}

// Nothing: there is no such name. A link that leads nowhere is there, and somebody meant it to lead
// somewhere.
std::expected<std::optional<std::string>, Problem> read_source(const host::Root& root,
                                                               const std::string& path) {
  const auto status = root.status(path);
  if (!status) {
    if (status.error().code == ENOENT) {
      const auto target = root.read_link(path);
      if (!target) return std::nullopt;
      return std::unexpected(problem_of_file(path, fmt::format("dangling symbolic link to '{}'", *target),
                                             "remove or mend the link"));
    }
    return std::unexpected(problem_of_file(path, "cannot read: " + status.error().cause));
  }
  // Checked before opening: a FIFO would block until somebody writes to it.
  if (S_ISDIR(status->st_mode))
    return std::unexpected(problem_of_file(path, "this is a directory, not a file"));
  if (!S_ISREG(status->st_mode)) return std::unexpected(problem_of_file(path, "this is not a regular file"));
  auto text = root.read_file(path, kLargestFile);
  if (text) return std::move(*text);
  if (text.error().code == EFBIG) {
    return std::unexpected(problem_of_file(
        path, fmt::format("the file is larger than {} bytes", kLargestFile), "split it into several files"));
  }
  return std::unexpected(problem_of_file(path, "cannot read: " + text.error().cause));
}

// Not hidden; what editors and package managers leave behind ends otherwise ("x.yaml~", "x.yaml.dpkg-old").
bool is_settings_name(std::string_view name, std::string_view suffix) {
  return name.size() > suffix.size() && name.ends_with(suffix) && !name.starts_with('.') &&
         !name.starts_with('#');
}

// The name that was meant by "x.yml" or "x.YAML": somebody wrote it to be read, and would look for its effect
// in vain. Nothing for every other name.
std::optional<std::string> find_meant_name(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const std::string_view suffix : {std::string_view(".yml"), kSuffix}) {
    if (is_settings_name(lower, suffix))
      return fmt::format("{}{}", name.substr(0, name.size() - suffix.size()), kSuffix);
  }
  return std::nullopt;
}

class Loading {
 public:
  explicit Loading(const host::Root& root) : root_(root) {}

  void add_file(const std::string& path) {
    auto text = read_source(root_, path);
    if (!text) {
      unreadable_.emplace_back(sources_.size(), std::move(text.error()));
    } else if (*text) {
      sources_.push_back({path, std::move(**text)});
    }
  }

  void add_directory(const std::string& path) {
    const auto names = root_.list_directory(path);
    if (!names) {
      const bool absent = names.error().code == ENOENT && !root_.read_link(path);
      if (!absent) {
        unreadable_.emplace_back(sources_.size(),
                                 problem_of_file(path, "cannot read: " + names.error().cause));
      }
      return;
    }
    for (const auto& name : *names) {
      const auto file = fmt::format("{}/{}", path, name);
      if (is_settings_name(name, kSuffix)) {
        add_file(file);
      } else if (const auto meant = find_meant_name(name)) {
        unreadable_.emplace_back(
            sources_.size(),
            problem_of_file(file, "not read: only names that end in .yaml are",
                            fmt::format("rename it to '{}', or put another ending behind it", *meant)));
      }
    }
  }

  Loaded finish() {
    auto loaded = parse_settings(sources_);
    if (unreadable_.empty()) return loaded;
    return std::unexpected(in_order(loaded ? std::vector<Problem>{} : std::move(loaded.error())));
  }

 private:
  // Puts each unreadable file where it stood among those that were read.
  std::vector<Problem> in_order(std::vector<Problem> problems) {
    std::vector<Problem> all;
    auto next = problems.begin();
    const auto take_problems_of = [&](const std::string& file) {
      for (; next != problems.end() && next->position.file == file; ++next) all.push_back(std::move(*next));
    };
    std::size_t taken = 0;
    for (auto& [before, problem] : unreadable_) {
      for (; taken < before; ++taken) take_problems_of(sources_[taken].name);
      all.push_back(std::move(problem));
    }
    std::move(next, problems.end(), std::back_inserter(all));
    return all;
  }

  const host::Root& root_;
  std::vector<SourceText> sources_;
  // How many sources come before it, and what is wrong with it.
  std::vector<std::pair<std::size_t, Problem>> unreadable_;
};

}  // namespace

Loaded load_settings(const host::Root& root, const std::string& main_file,
                     const std::optional<std::string>& directory) {
  Loading loading(root);
  loading.add_file(main_file);
  if (directory) loading.add_directory(*directory);
  return loading.finish();
}

}  // namespace allocd::settings
