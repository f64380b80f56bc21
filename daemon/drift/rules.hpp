// SPDX-License-Identifier: Apache-2.0
// What the hours of one life say: floor, ceiling, slope, and which of the slow and fast rules hold. Pure.
//
// All compare an hour with the same hour of the day before, or lows with highs: load comes and goes with the
// day, and what stays when it has gone is the floor. "d" is the low of an hour less the low 24 hours before,
// both at least 6 hours old, so that warm-up is no drift.
//   slow  both of the last two days raised the floor by more than max(96 MiB, 0.4 % of what it was), nine
//         in ten hours by 0.3 of that, and the differences agree with each other: their median is above 2.75
//         of their deviation. A step raises one day only. From uptime 78 h.
//   fast  four rising lows, each by max(8 MiB, 0.2 %) or more, the first of them above the highest low of the
//         (12 to 24) hours before it by 0.5 % of their lowest. Lows, because one burst of load a day lifts
//         the highest high by more than hours of a leak do. From uptime 18 h.
// Absent hours are left out; each day needs half of its differences. The figures were chosen by
// `./dev bench drift` (docs/benchmarks.md).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "drift/report.hpp"
#include "drift/slot_ring.hpp"

namespace allocd::drift {

// Full hours of life at which the slow rule, the last of all, can first speak.
inline constexpr std::int64_t kHoursNeeded = 78;

struct Verdict {
  bool is_founded = false;  // there are days to compare: without a rule it is normal, not warming
  bool slow = false;
  bool fast = false;
  bool watch = false;                 // the last day raised the floor
  bool lows_rise = false;             // the last full hour's low is above that of the hour before, by 0.1 %
  std::optional<double> old_ceiling;  // highest of the week before the last two hours: what load has taken
  Kind kind = Kind::unknown;
  std::int64_t hours_seen = 0;  // of those that are kept
  std::optional<double> floor, ceiling;
  std::optional<double> slope, rising;
};

// `hours`: full hours so far, seen or not; the verdict is of the end of the last of them.
[[nodiscard]] Verdict decide_verdict(const SlotRing& lows, const SlotRing& highs, std::int64_t hours);

// Bytes by which a day has to raise a floor of `held` bytes for the slow rule.
[[nodiscard]] double least_rise(double held);
// Lowest of hours `first` to `end` - 1.
[[nodiscard]] std::optional<double> lowest(const SlotRing& hours, std::int64_t first, std::int64_t end);
[[nodiscard]] std::optional<double> highest(const SlotRing& hours, std::int64_t first, std::int64_t end);
// d of hours `first` to `end` - 1, those there are.
[[nodiscard]] std::vector<double> day_differences(const SlotRing& lows, std::int64_t first, std::int64_t end);
// Bytes per second by the last 48 d's; nothing with less than 12.
[[nodiscard]] std::optional<double> decide_slope(const SlotRing& lows, std::int64_t hours);
// Of the floor of a life that has ended, after warm-up: by its d's where there are enough. A shorter life is
// told by the lows of its last third against its first, which the load of the day moves too: one such life
// says little, several under the same load more.
[[nodiscard]] std::optional<double> decide_life_growth(const SlotRing& lows, std::int64_t hours);

// Of an even count the mean of the middle two; nothing of nothing.
[[nodiscard]] std::optional<double> median(std::vector<double> values);

}  // namespace allocd::drift
