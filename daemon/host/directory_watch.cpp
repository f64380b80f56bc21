// SPDX-License-Identifier: Apache-2.0
#include "host/directory_watch.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/result.hpp"

namespace allocd::host {

namespace {

constexpr std::uint32_t kMask = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr std::uint32_t kGone = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT;

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

DirectoryWatch::DirectoryWatch(sd_event* loop, const Root& root, OnChange on_change, std::size_t most)
    : root_(root),
      on_change_(std::move(on_change)),
      most_(most),
      inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (!inotify_) {
    note_problem("inotify", errno);
    return;
  }
  const int result = sd_event_add_io(loop, &source_, inotify_.get(), EPOLLIN, &on_readable, this);
  if (result < 0) note_problem("inotify", -result);
}

DirectoryWatch::~DirectoryWatch() {
  sd_event_source_disable_unref(source_);
}

void DirectoryWatch::watch(const std::set<std::string>& directories) {
  if (!inotify_ || directories == directories_) return;
  directories_ = directories;
  absent_.clear();
  std::vector<Change> unused;
  arm(unused);
}

int DirectoryWatch::add(const std::string& path) {
  const auto relative = path.substr(std::min(path.find_first_not_of('/'), path.size()));
  const auto reached = fmt::format("/proc/self/fd/{}/{}", root_.fd(), relative);
  if (watched_.size() + awaited_.size() >= most_) {
    errno = ENOSPC;
    return -1;
  }
  return ::inotify_add_watch(inotify_.get(), reached.c_str(), kMask);
}

void DirectoryWatch::arm(std::vector<Change>& changes) {
  is_stale_ = false;
  problem_.clear();
  const auto watched_before = std::exchange(watched_, {});
  const auto awaited_before = std::exchange(awaited_, {});
  const auto absent_before = std::exchange(absent_, {});
  for (const auto& directory : directories_) {
    int watch = add(directory);
    if (watch < 0 && (errno == ENOENT || errno == ENOTDIR)) {
      wait_for(directory);
      watch = add(directory);  // it may have come before the one above it was watched
    }
    if (watch >= 0) {
      watched_[watch].insert(directory);
      if (absent_before.contains(directory)) changes.push_back({directory, ""});
    } else {
      absent_.insert(directory);
      if (errno != ENOENT && errno != ENOTDIR) note_problem(directory, errno);
    }
  }
  for (const auto* before : {&watched_before, &awaited_before}) {
    for (const auto& [watch, unused] : *before) {
      if (!watched_.contains(watch) && !awaited_.contains(watch)) ::inotify_rm_watch(inotify_.get(), watch);
    }
  }
}

void DirectoryWatch::wait_for(const std::string& directory) {
  for (std::string path = directory; path != "/"; path = parent_of(path)) {
    const int watch = add(parent_of(path));
    if (watch < 0 && (errno == ENOENT || errno == ENOTDIR)) continue;
    if (watch < 0) return note_problem(directory, errno);
    awaited_[watch].insert(name_of(path));
    return;
  }
}

void DirectoryWatch::note_problem(const std::string& path, int error) {
  if (!problem_.empty()) return;
  const bool is_limit = error == ENOSPC || error == EMFILE || error == ENOMEM;
  problem_ =
      fmt::format("cannot watch {}: {}; it is looked at with each sample only", path,
                  is_limit ? "a limit of inotify is met (fs.inotify.max_user_watches, max_user_instances)"
                           : base::fault_from_errno("watch", path, error).error().cause);
}

int DirectoryWatch::on_readable(sd_event_source* /*source*/, int /*fd*/, std::uint32_t /*events*/,
                                void* self) noexcept {
  static_cast<DirectoryWatch*>(self)->take_events();
  return 0;
}

void DirectoryWatch::take_events() {
  std::vector<Change> changes;
  alignas(inotify_event) std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (size <= 0) break;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(size);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      // Padded with NULs; there is none without a name.
      const std::string name = event.len == 0 ? "" : std::string(buffer.data() + at + sizeof event);
      take_event(event.wd, event.mask, name, changes);
      at += sizeof event + event.len;
    }
  }
  if (is_stale_) arm(changes);
  const auto on_change = on_change_;  // a copy: it may destroy us
  for (const Change& change : changes) on_change(change);
}

void DirectoryWatch::take_event(int watch, std::uint32_t mask, const std::string& name,
                                std::vector<Change>& changes) {
  if ((mask & IN_Q_OVERFLOW) != 0) {
    is_stale_ = true;
    changes.push_back({});
    return;
  }
  if (const auto found = watched_.find(watch); found != watched_.end()) {
    is_stale_ = is_stale_ || (mask & kGone) != 0;
    for (const auto& directory : found->second) {
      const Change change{directory, name};
      if (changes.empty() || changes.back() != change) changes.push_back(change);
    }
  }
  if (const auto found = awaited_.find(watch); found != awaited_.end()) {
    is_stale_ = is_stale_ || (mask & kGone) != 0 || found->second.contains(name);
  }
}

}  // namespace allocd::host
