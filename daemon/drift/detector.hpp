// SPDX-License-Identifier: Apache-2.0
// The drift of one life of one unit: fed with its samples, tells what they come to.
//
// O(1) a sample: the rules of days are decided when an hour ends (rules.hpp), the line of the last two hours
// is drawn when five minutes end (forecast.hpp), and a sample only moves along them. Bounded: 15 days of
// hours of the unit, 5 of each role, 3 kB and 0.5 kB.
//
// LifeState is all that the future depends on: a detector made of the state of another goes on as that one
// would have. Only the newest sample is not in it, so its memory and limit are absent until the next. Time is
// passed in. Not safe from several threads.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "drift/forecast.hpp"
#include "drift/hourly_series.hpp"
#include "drift/report.hpp"
#include "drift/rules.hpp"

namespace allocd::drift {

inline constexpr std::size_t kHoursKept = std::size_t{15} * 24;
inline constexpr std::size_t kRoleHoursKept = std::size_t{5} * 24;

struct RoleMemory {
  engine::Role role = engine::Role::other;
  double memory = 0;
  bool operator==(const RoleMemory&) const = default;
};

struct Sample {
  double uptime = 0;     // of this life, on a clock that nobody sets
  double memory = 0;     // RssAnon + VmSwap
  bool at_peak = false;  // VmRSS is within 2 % of VmHWM
  LimitKind limit_kind = LimitKind::none;
  std::optional<double> limit;
  std::span<const RoleMemory> roles;  // those that have a process
};

struct RoleSeries {
  engine::Role role = engine::Role::other;
  HourlySeries series{kRoleHoursKept, 0};
  bool operator==(const RoleSeries&) const = default;
};

// Samples of each of the last hours, and how many of them were at the peak.
struct PeakCounts {
  double samples = 0;  // of the running hour
  double at_peak = 0;
  SlotRing hourly_samples{23};  // of those before it
  SlotRing hourly_at_peak{23};
  bool operator==(const PeakCounts&) const = default;
};

struct LifeState {
  HourlySeries memory{kHoursKept, kHoursKept};
  RecentParts recent;
  PeakCounts peaks;
  std::optional<double> warm_floor;
  std::vector<RoleSeries> roles;  // in enum order
  bool operator==(const LifeState&) const = default;
};

class Detector {
 public:
  Detector() : Detector(LifeState{}) {}
  explicit Detector(LifeState state);

  // False, and nothing happens: it is not after the sample before it, or is no number.
  bool feed(const Sample& sample);
  // Without what a life is part of: when it started, and those before it.
  [[nodiscard]] Report report() const;
  // The newest sample is too old, or the last one could not be read: no memory is shown until the next.
  void forget_now();

  [[nodiscard]] const LifeState& state() const { return state_; }
  [[nodiscard]] std::int64_t hours() const { return state_.memory.hours(); }

 private:
  void end_hour(std::int64_t before);
  void feed_roles(const Sample& sample);
  void decide();
  void draw_lines();
  void decide_roles();
  [[nodiscard]] bool is_exhausting() const;
  [[nodiscard]] State decide_state(bool exhaustion) const;
  [[nodiscard]] std::optional<double> time_to_limit(bool exhaustion) const;
  [[nodiscard]] std::optional<double> share_at_peak() const;
  [[nodiscard]] std::vector<RoleReport> role_reports() const;

  LifeState state_;
  // What follows from it: decided anew when an hour, or five minutes, have ended.
  Verdict verdict_;
  std::optional<Line> line_;
  std::optional<Line> hour_line_;  // of the last hour alone
  std::vector<std::optional<double>> lows_;
  std::vector<RoleReport> role_verdicts_;  // without memory; as state_.roles
  // Of the newest sample.
  std::optional<double> memory_;
  std::optional<double> smoothed_;
  std::vector<RoleMemory> role_memory_;
  LimitKind limit_kind_ = LimitKind::none;
  std::optional<double> limit_;
};

}  // namespace allocd::drift
