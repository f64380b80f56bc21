// SPDX-License-Identifier: Apache-2.0
// What days of samples say of the memory of one unit: a value, part of the snapshot.
//
// "Memory" here is RssAnon + VmSwap over the unit's processes: file pages come and go with the page cache,
// and what was swapped out has not been given back. A life is one run of the unit's main process. Bytes are
// bytes, times seconds since the epoch, durations and ages seconds; an empty `std::optional` means that it
// cannot be told yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/closed_enum.hpp"
#include "engine/engine.hpp"

namespace allocd::drift {

enum class State {
  warming,    // too young for a verdict, or not seen for long enough
  normal,     // no rule holds
  watch,      // the floor rose over the last day
  drift,      // slow or fast drift
  exhaustion  // at this rate the limit is hours away
};
inline constexpr base::EnumNames<State, 5> kStateNames{{"warming", "normal", "watch", "drift", "exhaustion"}};

// What the growth looks like. Whether it is a leak or retention cannot be told from outside.
enum class Kind {
  unknown,  // no drift, or less than ten days of it
  linear,   // the second half of life grew about as much as the first
  slowing   // it grew less
};
inline constexpr base::EnumNames<Kind, 3> kKindNames{{"unknown", "linear", "slowing"}};

enum class LimitKind {
  none,    // neither can be read
  cgroup,  // memory.max of the unit's control group or of the nearest one above it that has one
  node     // what the unit holds and what the machine has available
};
inline constexpr base::EnumNames<LimitKind, 3> kLimitKindNames{{"none", "cgroup", "node"}};

// A run of the unit that has ended.
struct Life {
  double started_at = 0;
  double ended_at = 0;               // of the last sample of it
  std::optional<double> warm_floor;  // bytes held after warm-up
  std::optional<double>
      last_floor;  // bytes held at its quietest in its last day, or in all of a shorter life
  std::optional<double> growth_per_second;  // of the floor after warm-up; may be negative
  bool operator==(const Life&) const = default;
};

struct RoleReport {
  engine::Role role = engine::Role::other;
  std::optional<double> memory;  // now
  std::optional<double> floor;   // lowest of the last 24 full hours
  std::optional<double> slope;   // bytes per second, as in Report
  bool operator==(const RoleReport&) const = default;
};

struct Report {
  bool known = false;  // false: the unit has no process, or their memory could not be read
  State state = State::warming;
  bool slow = false;        // each of the last two days raised the floor, hour by hour
  bool fast = false;        // the floor rises hour by hour, above all that it was the day before
  bool exhaustion = false;  // the last two hours, extrapolated by four, pass the limit
  Kind kind = Kind::unknown;
  double life_started_at = 0;     // of the main process
  double window = 0;              // how much of this life was seen and the verdict rests on
  double needed = 0;              // uptime at which all rules can speak
  std::optional<double> memory;   // now
  std::optional<double> floor;    // lowest of the last 24 full hours: what it holds at its quietest
  std::optional<double> ceiling;  // highest of them
  std::optional<double>
      warm_floor;  // lowest between the 6th and the 30th hour of life: what it held after warm-up
  std::optional<double>
      slope;  // bytes per second, the median of 48 differences to the same hour a day before
  std::optional<double> rising;  // share of these differences that are above 0, 0 to 1
  LimitKind limit_kind = LimitKind::none;
  std::optional<double> limit;  // bytes
  // From the ceiling at this slope; empty when the floor does not rise. While `exhaustion` holds: at the rate
  // of the last two hours, if that is sooner.
  std::optional<double> time_to_limit;
  std::optional<double>
      at_peak;  // share of the last 24 hours' samples whose VmRSS is within 2 % of VmHWM, 0 to 1
  std::optional<double>
      falls;  // (ceiling - floor) / ceiling: how much of it comes back when load falls, 0 to 1
  std::vector<std::optional<double>> lows;  // lowest of each six hours of this life, oldest first, at most 60
  std::vector<Life> lives;                  // the last ended ones, oldest first, at most 8
  // Median of theirs, of three at least; shows a leak that nightly restarts hide.
  std::optional<double> lives_growth_per_second;
  std::vector<RoleReport> roles;  // in enum order
  bool operator==(const Report&) const = default;
};

}  // namespace allocd::drift
