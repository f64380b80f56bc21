// SPDX-License-Identifier: Apache-2.0
// The processes of one unit, from sample to sample.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernel/cgroup.hpp"
#include "observer/tracked_process.hpp"

namespace allocd::observer {

struct UnitSample {
  bool listed = false;  // the cgroup could be read
  std::string error;    // why not
  std::vector<std::string> groups;
  std::uint64_t dropped = 0;
  std::uint64_t permission_errors = 0;
  std::uint64_t read_errors = 0;
  bool truncated = false;  // more control groups below it than are read
  double list_seconds = 0;
  double read_seconds = 0;
};

class UnitTracker {
 public:
  // Lists the cgroup and reads every process in it. `proc` is an open /proc, `number` grows with each sample.
  UnitSample sample(const kernel::CgroupTree& tree, const std::string& control_group, int proc,
                    std::uint64_t number, std::size_t max_processes, Clock::time_point now);
  void clear() { processes_.clear(); }

  // By pid; all of them were alive in the last sample.
  [[nodiscard]] const std::map<pid_t, TrackedProcess>& processes() const { return processes_; }
  [[nodiscard]] TrackedProcess* find(const ProcessId& id);
  [[nodiscard]] std::map<pid_t, TrackedProcess>& processes() { return processes_; }

  [[nodiscard]] std::uint64_t seen() const { return seen_; }
  [[nodiscard]] std::uint64_t vanished() const { return vanished_; }

 private:
  // The remembered process, or a new one; null when it has gone already or could not be opened (counted).
  TrackedProcess* track(int proc, pid_t pid, UnitSample& sample);
  void read_one(TrackedProcess& process, const kernel::Member& member, int proc, UnitSample& sample,
                std::uint64_t number, Clock::time_point now);

  std::map<pid_t, TrackedProcess> processes_;
  std::string buffer_;
  std::uint64_t seen_ = 0;
  std::uint64_t vanished_ = 0;
};

}  // namespace allocd::observer
