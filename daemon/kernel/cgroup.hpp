// SPDX-License-Identifier: Apache-2.0
// Processes of a control group and of every group below it, cgroups(7).
//
// Opened by path for each listing: a group that was removed and made again under the same name is a new
// group. A group that goes away while it is read is an empty one. Membership, never a name or a parent pid,
// says which processes are a service's.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "host/root.hpp"

namespace allocd::kernel {

struct Member {
  pid_t pid = 0;
  std::size_t group = 0;  // index into Members::groups
};

struct Members {
  std::vector<std::string> groups;  // paths relative to the group listed; the first is ""
  std::vector<Member> processes;
  bool truncated = false;  // more than kMaxGroups groups or kMaxDepth levels
};

inline constexpr std::size_t kMaxGroups = 4096;
inline constexpr std::size_t kMaxDepth = 32;

// Pids in the text of cgroup.procs, one a line and in no order. What is no pid, or stands for a process of
// another pid namespace (0), is left out.
void visit_group_processes(std::string_view text, const std::function<void(pid_t)>& visit);

// Where systemd's own hierarchy is mounted: "/sys/fs/cgroup" (v2), or its v1 or hybrid place.
[[nodiscard]] std::string find_cgroup_mount(const host::Root& root);

class CgroupTree {
 public:
  CgroupTree(const host::Root& root, std::string mount) : root_(&root), mount_(std::move(mount)) {}

  // `path` as systemd gives it: "/system.slice/vllm.service". A Fault with code ENOENT when it is not there.
  [[nodiscard]] base::Result<Members> list(std::string_view path) const;
  // Existing groups whose path matches `pattern`, component by component (fnmatch(3)); sorted.
  [[nodiscard]] std::vector<std::string> match(std::string_view pattern) const;

 private:
  const host::Root* root_;
  std::string mount_;
};

}  // namespace allocd::kernel
