// SPDX-License-Identifier: Apache-2.0
// What each unit's control group says of its memory, from sample to sample.
//
// Two tiers, because fifty units times fourteen files is more than all the rest of a sample: current, stat,
// events and pressure with each sample, from files that stay open (4 system calls a unit); limits, NUMA and
// the groups above once in a slow interval, the units spread over it. A group is opened by its path when the
// unit has another group or another start, and when the kernel says that the one that was open has been
// removed. A group without the memory controller, or that may not be read, is asked again only in the slow
// interval.
//
// Never waits for a process. Single-threaded, on the loop. Holds 5 descriptors a unit.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "host/root.hpp"
#include "kernel/cgroup_memory.hpp"
#include "observer/evidence_pool.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

class UnitMemoryWatch {
 public:
  // What was read since the last take_totals(), over all units.
  struct Totals {
    double seconds = 0;
    std::uint64_t errors = 0;  // units with a file that should be readable and is not
    std::uint64_t permission_errors = 0;
    std::string error;  // the first of them
  };

  explicit UnitMemoryWatch(const host::Root& root);

  // Fills unit.cgroup, of unit.control_group.
  void sample(snapshot::Unit& unit, Clock::time_point now, std::chrono::milliseconds slow_interval);
  void forget_unless(const std::function<bool(const std::string&)>& is_watched);
  [[nodiscard]] Totals take_totals();
  [[nodiscard]] double seconds() const { return totals_.seconds; }

 private:
  struct Entry {
    std::string control_group;
    std::string invocation_id;
    std::optional<kernel::OpenGroup> group;
    snapshot::UnitCgroup shown;
    std::optional<Clock::time_point> next_slow;  // nothing: at once
  };
  void read(Entry& entry, const std::string& name, Clock::time_point now, std::chrono::milliseconds interval);
  void open(Entry& entry);
  void take_fast(Entry& entry);
  void take_all(Entry& entry);
  void note(const std::string& name, const snapshot::UnitCgroup& shown);

  kernel::CgroupMemoryReader reader_;
  std::map<std::string, Entry> entries_;  // by unit name
  Totals totals_;
};

}  // namespace allocd::observer
