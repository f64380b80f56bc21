// SPDX-License-Identifier: Apache-2.0
// Figures that several views share, summed from the snapshot. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "snapshot/model.hpp"

namespace allocd::ctl {

struct UnitSummary {
  std::uint64_t processes = 0;
  snapshot::Bytes resident = 0;
  snapshot::Bytes anonymous = 0;
  std::map<allocator::Kind, std::uint64_t> active;  // processes by allocator in use
};

[[nodiscard]] UnitSummary summarise(const snapshot::Unit& unit);

struct NodeSummary {
  std::map<policy::State, std::uint64_t> states;  // units
  std::uint64_t unreadable = 0;                   // processes, for want of rights
  std::uint64_t pending = 0;                      // processes whose allocator is not known yet
  std::uint64_t dropped = 0;                      // processes over the limit of a unit
};

[[nodiscard]] NodeSummary summarise(const snapshot::Snapshot& snapshot);

// "glibc 1, jemalloc 2"; "-" when nothing is known.
[[nodiscard]] std::string active_text(const std::map<allocator::Kind, std::uint64_t>& active);

// When the unit became active; for a cgroup, when its oldest process started; 0 for neither.
[[nodiscard]] double running_since(const snapshot::Unit& unit);

// "violation (mapped_not_active)", "compliant".
[[nodiscard]] std::string verdict_text(const policy::Assessment& assessment);

// "worker (tp1)".
[[nodiscard]] std::string role_text(const snapshot::Process& process);

// How old the sample is; a clock set back makes it 0, not negative.
[[nodiscard]] double sample_age(const snapshot::Snapshot& snapshot, double now);
// Older than three intervals: the observer does not get on.
[[nodiscard]] bool is_stale(const snapshot::Snapshot& snapshot, double now);
// "the last sample is 5m 0s old, at an interval of 10s: allocd is stuck, overloaded or stopped"
[[nodiscard]] std::string stale_text(const snapshot::Snapshot& snapshot, double now);

}  // namespace allocd::ctl
