// SPDX-License-Identifier: Apache-2.0
#include "kernel/path_search.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "base/unique_fd.hpp"

namespace allocd::kernel {

namespace {

constexpr std::size_t kMaxLevel = 512;

// The directories from the root down to where the search stands; none is open for reading.
using Trail = std::vector<int>;
using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

// A component of a pattern, or of a link's target: there a name that looks like a glob is none.
struct Part {
  std::string text;
  bool is_glob = false;
};

// What is still to be matched below a trail.
struct Quest {
  std::vector<Part> parts;
  std::size_t links = 0;    // followed so far
  bool files_only = false;  // a directory at the end is nothing
};

void append_parts(std::vector<Part>& parts, std::string_view path, bool may_glob) {
  for (const auto part : base::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    parts.push_back({std::string(part), may_glob && base::has_glob_characters(part)});
  }
}

bool matches_name(std::string_view pattern, std::string_view name) {
  return (name[0] != '.' || pattern[0] == '.') && base::matches_glob(pattern, name);
}

// Neither follows a link nor sets off an automount.
int status_of(int directory, const std::string& name, struct stat& status) {
  return ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0 ? 0 : errno;
}

class Search {
 public:
  Search(const SearchLimits& limits, const std::function<void(const FoundFile&)>& visit,
         const KeepGoing& keep_going)
      : limits_(limits), visit_(visit), keep_going_(keep_going) {}

  void run(int root, const std::string& pattern) {
    Quest quest;
    append_parts(quest.parts, pattern, true);
    expand({root}, quest, 0);
  }
  [[nodiscard]] const SearchCounts& counts() const { return counts_; }

 private:
  // False once a bound is met.
  bool may_go_on() {
    if (!counts_.is_complete()) return false;
    if (keep_going_ && !keep_going_()) counts_.stopped = true;
    return counts_.is_complete();
  }
  bool take_entry() {
    if (++entries_ > limits_.entries) counts_.truncated = true;
    return may_go_on();
  }

  void note_failure(int error) {
    if (error == ENOENT || error == ENOTDIR) return;
    ++(error == EACCES || error == EPERM ? counts_.not_permitted : counts_.others);
  }

  // The parts of `quest` from `index` on are still to be matched below `trail`.
  void expand(Trail trail, const Quest& quest, std::size_t index) {
    // A link's target can hold thousands of names without leading deeper.
    if (level_ >= kMaxLevel) counts_.truncated = true;
    if (!may_go_on()) return;
    ++level_;
    for (; index < quest.parts.size() && quest.parts[index].text == ".."; ++index) {
      if (trail.size() > 1) trail.pop_back();
    }
    if (index < quest.parts.size()) {
      match(trail, quest, index);
    } else if (!quest.files_only) {
      add_tree(trail);
    }
    --level_;
  }

  void match(const Trail& trail, const Quest& quest, std::size_t index) {
    const Part& part = quest.parts[index];
    if (!part.is_glob) return step(trail, part.text, quest, index + 1);
    if (part.text == "**") {
      expand(trail, quest, index + 1);
      for (const auto& name : names_in(trail)) {
        if (name[0] != '.') descend(trail, name, quest, index);
      }
      return;
    }
    for (const auto& name : names_in(trail)) {
      if (matches_name(part.text, name)) step(trail, name, quest, index + 1);
    }
  }

  // One name, whatever it is; `next` is the part that comes after it.
  void step(const Trail& trail, const std::string& name, const Quest& quest, std::size_t next) {
    if (!take_entry()) return;
    struct stat status{};
    if (const int error = status_of(trail.back(), name, status); error != 0) return note_failure(error);
    if (S_ISLNK(status.st_mode)) return follow(trail, name, quest, next);
    if (S_ISDIR(status.st_mode)) {
      return enter(trail, name, [&](const Trail& below) { expand(below, quest, next); });
    }
    if (next == quest.parts.size()) add_file(trail, name, status);
  }

  // For `**`: real directories only.
  void descend(const Trail& trail, const std::string& name, const Quest& quest, std::size_t index) {
    if (!take_entry()) return;
    struct stat status{};
    if (const int error = status_of(trail.back(), name, status); error != 0) return note_failure(error);
    if (!S_ISDIR(status.st_mode)) return;
    enter(trail, name, [&](const Trail& below) { expand(below, quest, index); });
  }

  // Puts what the link says in front of what is still to be matched.
  void follow(const Trail& trail, const std::string& name, const Quest& quest, std::size_t next) {
    std::array<char, PATH_MAX> target{};
    const ssize_t length = ::readlinkat(trail.back(), name.c_str(), target.data(), target.size());
    if (length < 0) return note_failure(errno);
    if (quest.links >= limits_.links) {
      ++counts_.others;
      return;
    }
    const std::string_view text(target.data(), static_cast<std::size_t>(length));
    Quest onward{{}, quest.links + 1, quest.files_only};
    append_parts(onward.parts, text, false);
    onward.parts.insert(onward.parts.end(), quest.parts.begin() + static_cast<std::ptrdiff_t>(next),
                        quest.parts.end());
    expand(text.starts_with('/') ? Trail{trail.front()} : trail, onward, 0);
  }

  // Opens the directory `name` and hands on the trail to it, but for an automount that nobody has used:
  // O_PATH does not set it off, open(2), as long as O_DIRECTORY is not asked for with it.
  template <typename Then>
  void enter(const Trail& trail, const std::string& name, const Then& then) {
    if (trail.size() > limits_.depth) {
      counts_.truncated = true;
      return;
    }
    const base::UniqueFd fd(::openat(trail.back(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return note_failure(errno);
    struct statfs system{};
    if (::fstatfs(fd.get(), &system) != 0) return note_failure(errno);
    if (system.f_type == AUTOFS_SUPER_MAGIC) {
      ++counts_.automounts;
      return;
    }
    Trail below = trail;
    below.push_back(fd.get());
    then(below);
  }

  // Sorted; no more than may still be looked at, for a directory can hold millions.
  std::vector<std::string> names_in(const Trail& trail) {
    base::UniqueFd fd(::openat(trail.back(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Directory stream(fd ? ::fdopendir(fd.get()) : nullptr, &::closedir);
    if (!stream) {
      note_failure(errno);
      return {};
    }
    static_cast<void>(fd.release());  // closedir owns it now
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string_view name = static_cast<const char*>(entry->d_name);
      if (name == "." || name == "..") continue;
      if (entries_ + names.size() >= limits_.entries) counts_.truncated = true;
      if (!may_go_on()) return {};
      names.emplace_back(name);
    }
    std::ranges::sort(names);
    return names;
  }

  // Every file below, and every file that a link there leads to.
  void add_tree(const Trail& trail) {
    for (const auto& name : names_in(trail)) {
      if (!take_entry()) return;
      struct stat status{};
      if (const int error = status_of(trail.back(), name, status); error != 0) {
        note_failure(error);
      } else if (S_ISDIR(status.st_mode)) {
        enter(trail, name, [&](const Trail& below) { add_tree(below); });
      } else if (S_ISLNK(status.st_mode)) {
        follow(trail, name, Quest{{}, 0, true}, 0);
      } else {
        add_file(trail, name, status);
      }
    }
  }

  void add_file(const Trail& trail, const std::string& name, const struct stat& status) {
    if (!S_ISREG(status.st_mode)) {
      ++counts_.others;
      return;
    }
    const std::pair inode{status.st_dev, status.st_ino};
    if (seen_.contains(inode)) return;
    if (counts_.files >= limits_.files) {
      counts_.truncated = true;
      return;
    }
    seen_.insert(inode);
    ++counts_.files;
    visit_({trail.back(), name.c_str(), &status});
  }

  const SearchLimits& limits_;
  const std::function<void(const FoundFile&)>& visit_;
  const KeepGoing& keep_going_;
  SearchCounts counts_;
  std::size_t entries_ = 0;
  std::size_t level_ = 0;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace

SearchCounts find_files(const host::Root& root, std::span<const std::string> patterns,
                        const SearchLimits& limits, const std::function<void(const FoundFile&)>& visit,
                        const KeepGoing& keep_going) {
  Search search(limits, visit, keep_going);
  for (const auto& pattern : patterns) search.run(root.fd(), pattern);
  return search.counts();
}

}  // namespace allocd::kernel
