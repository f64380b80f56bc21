// SPDX-License-Identifier: Apache-2.0
// Tells when something in a set of directories changes (inotify(7)), on an sd-event loop.
//
// A directory that is not there is waited for: the nearest one above it that is there is watched until it
// comes. One that goes is waited for again. When the kernel has dropped events everything is said to have
// changed. Where watching fails (the limit of watches or of instances, no permission) `problem` says so, and
// the caller has to look by itself; nothing here ever makes a caller fail. Only a hint: the caller looks at
// the files. Single-threaded, on the loop.
#pragma once

#include <systemd/sd-event.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "host/root.hpp"

namespace allocd::host {

class DirectoryWatch {
 public:
  // A name in a watched directory; "" for the directory itself. Both "": anything may have changed.
  struct Change {
    std::string directory;
    std::string name;
    bool operator==(const Change&) const = default;
  };
  using OnChange = std::function<void(const Change&)>;

  // `most` watches are held at a time. `root` must outlive it.
  DirectoryWatch(sd_event* loop, const Root& root, OnChange on_change, std::size_t most = 4096);
  ~DirectoryWatch();
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  // Replaces the set. Absolute paths without a slash at the end.
  void watch(const std::set<std::string>& directories);
  // Why not all of them are watched; "" when they are.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  static int on_readable(sd_event_source* source, int fd, std::uint32_t events, void* self) noexcept;
  void take_events();
  void take_event(int watch, std::uint32_t mask, const std::string& name, std::vector<Change>& changes);
  // Watches what is there now; the directories that were waited for and have come are added to `changes`.
  void arm(std::vector<Change>& changes);
  // The watched directory, or -1 and errno.
  [[nodiscard]] int add(const std::string& path);
  void wait_for(const std::string& directory);
  void note_problem(const std::string& path, int error);

  const Root& root_;
  OnChange on_change_;
  std::size_t most_;
  base::UniqueFd inotify_;
  sd_event_source* source_ = nullptr;
  std::set<std::string> directories_;
  // By watch descriptor: directories of the set, and names awaited in directories above one.
  std::map<int, std::set<std::string>> watched_;
  std::map<int, std::set<std::string>> awaited_;
  std::set<std::string> absent_;
  std::string problem_;
  bool is_stale_ = false;  // what is there has changed: arm again
};

}  // namespace allocd::host
