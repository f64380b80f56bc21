// SPDX-License-Identifier: Apache-2.0
// The memory part of a snapshot: of units beyond the sums of their processes, and of the whole node.
//
// These figures are read less often than processes are, so each group carries the time of its reading (0: not
// read yet). `std::optional` empty means "could not be read" and is never shown as 0. What kernel:: and
// node:: hold as plain data stands here as it is. A `double` that is a time is seconds since the epoch, one
// that is a share is 0 to 1, one that is a duration is seconds.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/closed_enum.hpp"
#include "kernel/cgroup_memory.hpp"
#include "kernel/costly.hpp"
#include "kernel/page_cache.hpp"
#include "node/expect.hpp"
#include "node/state.hpp"

namespace allocd::snapshot {

// kernel::NoCgroupMemory says why not; `not_read` is a unit that has no control group, or was not looked at
// yet.
enum class CgroupMemoryState { available, controller_off, cgroup_v1, gone, not_permitted, failed, not_read };
inline constexpr base::EnumNames<CgroupMemoryState, 7> kCgroupMemoryStateNames{
    {"available", "controller_off", "cgroup_v1", "gone", "not_permitted", "failed", "not_read"}};

struct UnitCgroup {
  CgroupMemoryState state = CgroupMemoryState::not_read;
  double read_at = 0;         // current, stat, events, pressure
  double limits_read_at = 0;  // everything else
  // Of the unit's group and all below it. Absent in every other state than `available`: then the sums over
  // processes stand alone.
  std::optional<kernel::CgroupMemory> memory;
  bool operator==(const UnitCgroup&) const = default;
};

// Where one process may run and allocate, proc_pid_status(5).
struct Placement {
  std::optional<bool> thp_enabled;  // false: switched off by prctl(2); absent before Linux 5.0
  std::string cpus_allowed;         // "0-31,64-95"; "" when not read
  std::string mems_allowed;         // nodes, likewise
  std::vector<std::string> gpus;    // devices in its memory map, by name: "nvidia0", "renderD128"
  bool operator==(const Placement&) const = default;
};

// NUMAPolicy= of a unit, systemd.exec(5).
enum class NumaPolicy { unset, kernel_default, preferred, bind, interleave, local, unknown };
inline constexpr base::EnumNames<NumaPolicy, 7> kNumaPolicyNames{
    {"unset", "kernel_default", "preferred", "bind", "interleave", "local", "unknown"}};

// A unit's memory against its CPUs, its GPUs and what the unit file asks for. A share is of anonymous and
// file memory as the control group counts it per node; it is absent when that is not known, and when there is
// no other node to be on.
struct Locality {
  std::string cpu_affinity;  // CPUAffinity=, as a list of ids; "" when the unit sets none
  NumaPolicy policy = NumaPolicy::unset;
  std::vector<unsigned> policy_nodes;  // NUMAMask=
  std::vector<unsigned> cpu_nodes;     // of the CPUs its processes may run on; empty: not known
  std::vector<unsigned> gpu_nodes;     // of the GPUs its processes have mapped; empty: none, or not known
  std::optional<double> off_cpus;      // share of its memory that is on none of cpu_nodes
  std::optional<double> off_gpus;
  std::optional<double> off_policy;
  std::uint32_t cpus_differ = 0;  // processes whose CPUs are not the unit's CPUAffinity=
  std::uint32_t mems_differ = 0;  // processes that may not allocate on all of policy_nodes
  bool operator==(const Locality&) const = default;
};

// By kind of mapping, and by node and kind, in bytes; of numa_maps.
using PageFigures = kernel::Figures<kernel::PageKind, 3>;
using PageTable = std::map<unsigned, PageFigures>;

// One costly file of one process, as it was when it was last read.
struct ProcessCostly {
  kernel::CostlyKind kind = kernel::CostlyKind::smaps_rollup;
  double read_at = 0;
  double seconds = 0;         // that the reading took inside the process's memory lock, at most
  kernel::SmapsRollup smaps;  // of smaps_rollup
  PageTable nodes;            // of numa_maps
  bool operator==(const ProcessCostly&) const = default;
};

// How far the costly reading of one process has come.
enum class CostlyState {
  waiting,    // for its turn
  read,       // there are figures
  slow,       // it took longer than allowed, and is not tried again for this program image
  too_large,  // it would take longer than allowed, so it is not tried
  not_permitted,
  unsupported,
  failed
};
inline constexpr base::EnumNames<CostlyState, 7> kCostlyStateNames{
    {"waiting", "read", "slow", "too_large", "not_permitted", "unsupported", "failed"}};

// One kind of costly reading over a unit's processes; only where the settings ask for it.
struct UnitCostly {
  kernel::CostlyKind kind = kernel::CostlyKind::smaps_rollup;
  std::map<CostlyState, std::uint32_t> states;  // processes by state
  std::uint32_t processes = 0;                  // that the sums are of
  double oldest_read_at = 0;                    // of these; 0: of none
  double last_seconds = 0;                      // that the last reading took
  double seconds_total = 0;                     // all readings, since the observer started
  std::uint64_t reads = 0;                      // since the observer started
  kernel::SmapsRollup smaps;                    // sums; absent where no process had it
  PageTable nodes;                              // sums
  bool operator==(const UnitCostly&) const = default;
};

// The machine.
struct Node {
  bool known = false;  // false: not read yet
  double read_at = 0;
  double interval = 0;  // between two readings
  double duration = 0;
  node::NodeState state;
  std::vector<node::ExpectationResult> expectations;  // as declared, against `state`
  bool operator==(const Node&) const = default;
};

// The page cache of one service's model files.
struct ModelFiles {
  std::string service;                // key under `services:`
  std::vector<std::string> patterns;  // its model_paths
  double read_at = 0;
  double interval = 0;  // between two readings
  double duration = 0;
  kernel::PageCache figures;
  bool operator==(const ModelFiles&) const = default;
};

}  // namespace allocd::snapshot
