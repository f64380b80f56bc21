// SPDX-License-Identifier: Apache-2.0
// One figure of one life, hour by hour: its lows and highs, of medians of five samples, which a spike of one
// or two samples does not move.
//
// An hour is an hour of the LIFE, counted from the start of the main process on a clock that nobody sets, not
// an hour of the day: a wall clock that jumps moves nothing, and an hour less 24 is still the same time of
// day, which is all that the rules ask for. An hour counts when at least a third of it was seen, else it is
// absent: the low of a few minutes is no low of an hour. A sample that is not after the one before it is
// ignored. Bounded, O(1) a sample; a value, whose members are what the state file keeps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "drift/slot_ring.hpp"

namespace allocd::drift {

inline constexpr double kHour = 3600;
inline constexpr double kDay = 24 * kHour;
inline constexpr double kPart = 300;  // what an hour, and the line of the last two, are made of

// The median of the newest five values, once there are five.
struct MedianOfFive {
  std::array<double, 5> values{};  // oldest first
  std::size_t count = 0;

  std::optional<double> push(double value);
  bool operator==(const MedianOfFive&) const = default;
};

// The hour that is not over.
struct RunningHour {
  std::int64_t hour = -1;   // -1: nothing was ever fed
  std::uint16_t parts = 0;  // a bit for each five minutes that were seen
  double low = 0;           // while parts is not 0
  double high = 0;
  bool operator==(const RunningHour&) const = default;
};

struct HourlySeries {
  HourlySeries(std::size_t hours_of_lows, std::size_t hours_of_highs);

  // The newest median when the sample was taken in and there is one.
  std::optional<double> feed(double uptime, double value);
  // Full hours so far, seen or not: the one that runs, or the first to come.
  [[nodiscard]] std::int64_t hours() const { return running.hour < 0 ? 0 : running.hour; }

  double last_uptime = -1;
  MedianOfFive window;
  RunningHour running;
  SlotRing lows;
  SlotRing highs;
  bool operator==(const HourlySeries&) const = default;

 private:
  void begin_hour(std::int64_t hour);
};

}  // namespace allocd::drift
