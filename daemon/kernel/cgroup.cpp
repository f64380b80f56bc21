// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>
#include <utility>

#include "base/text.hpp"

namespace allocd::kernel {

namespace {

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

Directory open_stream(base::UniqueFd fd) {
  DIR* stream = ::fdopendir(fd.get());
  if (stream != nullptr) static_cast<void>(fd.release());
  return {stream, &::closedir};
}

// cgroupfs counts a directory's children among its links; a file system that does not shows 1.
bool has_no_child(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && status.st_nlink == 2;
}

// Calls `visit` with the name of each directory inside `stream`; cgroupfs fills in d_type.
template <typename Visit>
void each_child(DIR* stream, const Visit& visit) {
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (entry->d_type == DT_DIR && name != "." && name != "..") visit(name);
  }
}

class Listing {
 public:
  Members take() { return std::move(members_); }

  void add_group(base::UniqueFd fd, const std::string& path, std::size_t depth) {
    if (members_.groups.size() >= kMaxGroups || depth > kMaxDepth) {
      members_.truncated = true;
      return;
    }
    members_.groups.push_back(path);
    add_processes(fd.get(), members_.groups.size() - 1);
    if (has_no_child(fd.get())) return;
    const Directory stream = open_stream(std::move(fd));
    if (!stream) return;
    const int parent = ::dirfd(stream.get());
    each_child(stream.get(), [&](std::string_view name) {
      const std::string child(name);
      base::UniqueFd child_fd(::openat(parent, child.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (child_fd)
        add_group(std::move(child_fd), path.empty() ? child : fmt::format("{}/{}", path, child), depth + 1);
    });
  }

 private:
  void add_processes(int fd, std::size_t group) {
    // EOPNOTSUPP: a threaded group, its processes are listed by the domain above. ENODEV: just removed.
    if (host::read_file_into(fd, "cgroup.procs", buffer_) != 0) return;
    visit_group_processes(buffer_, [&](pid_t pid) { members_.processes.push_back({pid, group}); });
  }

  Members members_;
  std::string buffer_;
};

}  // namespace

void visit_group_processes(std::string_view text, const std::function<void(pid_t)>& visit) {
  while (!text.empty()) {
    const auto pid = base::parse_u64(base::take_line(text));
    if (pid && *pid > 0 && *pid <= INT_MAX) visit(static_cast<pid_t>(*pid));
  }
}

std::string find_cgroup_mount(const host::Root& root) {
  if (root.exists("/sys/fs/cgroup/cgroup.controllers")) return "/sys/fs/cgroup";
  for (const char* legacy : {"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"}) {
    if (root.exists(fmt::format("{}/cgroup.procs", legacy))) return legacy;
  }
  return "/sys/fs/cgroup";
}

base::Result<Members> CgroupTree::list(std::string_view path) const {
  auto fd = root_->open_directory(fmt::format("{}{}", mount_, path));
  if (!fd) return std::unexpected(fd.error());
  Listing listing;
  listing.add_group(std::move(*fd), "", 0);
  return listing.take();
}

std::vector<std::string> CgroupTree::match(std::string_view pattern) const {
  std::vector<std::string> found{""};
  for (const auto component : base::split(pattern.substr(std::min<std::size_t>(1, pattern.size())), '/')) {
    if (component.empty()) continue;  // "/" itself, or a doubled slash
    std::vector<std::string> next;
    for (const auto& path : found) {
      auto fd = root_->open_directory(fmt::format("{}{}/", mount_, path));
      if (!fd) continue;
      const Directory stream = open_stream(std::move(*fd));
      if (!stream) continue;
      each_child(stream.get(), [&](std::string_view name) {
        if (base::matches_glob(component, name)) next.push_back(fmt::format("{}/{}", path, name));
      });
    }
    found = std::move(next);
  }
  if (found == std::vector<std::string>{""}) return {"/"};
  std::ranges::sort(found);
  return found;
}

}  // namespace allocd::kernel
