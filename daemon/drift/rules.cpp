// SPDX-License-Identifier: Apache-2.0
#include "drift/rules.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "drift/hourly_series.hpp"

namespace allocd::drift {

namespace {

constexpr std::int64_t kWarmHours = 6;
constexpr std::size_t kLeastOfADay = 12;
constexpr double kLeastRise = 96.0 * 1024 * 1024;  // a day
constexpr double kLeastShare = 0.004;              // a day, of what is held
constexpr double kLeastRising = 0.9;
constexpr double kRisingShare = 0.3;      // of the least rise: what counts as rising
constexpr double kLeastAgreement = 2.75;  // median against its absolute deviation
constexpr std::int64_t kFastLows = 4;
constexpr double kFastLeastRise = 8.0 * 1024 * 1024;  // an hour
constexpr double kFastRise = 0.002;                   // an hour, of what is held
constexpr double kFastShare = 0.005;
constexpr std::int64_t kFastWarmHours = 2;
constexpr double kLowsRise = 0.001;  // an hour
constexpr std::int64_t kOldHours = std::int64_t{7} * 24;
constexpr std::int64_t kHoursForKind = 240;
constexpr double kLinear = 0.7;  // second half of growth against the first

std::vector<double> present(const SlotRing& hours, std::int64_t first, std::int64_t end) {
  std::vector<double> values;
  for (auto hour = std::max(first, hours.first()); hour < std::min(end, hours.end()); ++hour) {
    if (const auto value = hours.at(hour)) values.push_back(*value);
  }
  return values;
}

double share_above(const std::vector<double>& values, double least) {
  const auto above = std::ranges::count_if(values, [=](double value) { return value > least; });
  return static_cast<double>(above) / static_cast<double>(values.size());
}

// Whether the median of the differences of a day is above `least`.
bool is_raised(const std::vector<double>& day, double least) {
  return day.size() >= kLeastOfADay && *median(day) > least;
}

bool decide_slow(const SlotRing& lows, std::int64_t hours) {
  if (hours < kHoursNeeded) return false;
  const auto base = median(present(lows, hours - 72, hours - 48));
  if (!base) return false;
  const double least = least_rise(*base);
  if (!is_raised(day_differences(lows, hours - 48, hours - 24), least)) return false;
  if (!is_raised(day_differences(lows, hours - 24, hours), least)) return false;
  const auto both = day_differences(lows, hours - 48, hours);
  const double middle = *median(both);
  std::vector<double> deviations;
  deviations.reserve(both.size());
  for (const double difference : both) deviations.push_back(std::abs(difference - middle));
  return share_above(both, kRisingShare * least) >= kLeastRising &&
         middle > kLeastAgreement * *median(deviations);
}

// Against the day before it, so that it can speak before two days are there.
bool decide_watch(const SlotRing& lows, std::int64_t hours) {
  const auto base = median(present(lows, hours - 48, hours - 24));
  return base && is_raised(day_differences(lows, hours - 24, hours), least_rise(*base));
}

bool decide_fast(const SlotRing& lows, std::int64_t hours) {
  const auto last = present(lows, hours - kFastLows, hours);
  if (last.size() < static_cast<std::size_t>(kFastLows)) return false;
  const auto before = present(lows, std::max(kFastWarmHours, hours - kFastLows - 24), hours - kFastLows);
  if (before.size() < kLeastOfADay) return false;
  const double base = std::ranges::min(before);
  const double least = std::max(kFastLeastRise, kFastRise * base);
  const auto is_flat = [=](double earlier, double later) { return later - earlier < least; };
  if (std::ranges::adjacent_find(last, is_flat) != last.end()) return false;
  return last.front() - std::ranges::max(before) > kFastShare * base;
}

bool decide_lows_rise(const SlotRing& lows, std::int64_t hours) {
  const auto last = lows.at(hours - 1);
  const auto before = lows.at(hours - 2);
  return last && before && *last > (1 + kLowsRise) * *before;
}

// How much the second half of what is kept of this life grew against the first.
Kind decide_kind(const SlotRing& lows, std::int64_t hours) {
  const auto first = std::max(kWarmHours, lows.first());
  if (hours - first < kHoursForKind) return Kind::unknown;
  const auto middle = (first + hours) / 2;
  const auto day_at = [&](std::int64_t begin) -> std::optional<double> {
    const auto day = present(lows, begin, begin + 24);
    if (day.size() < kLeastOfADay) return std::nullopt;
    return median(day);
  };
  const auto before = day_at(first);
  const auto between = day_at(middle - 12);
  const auto after = day_at(hours - 24);
  if (!before || !between || !after) return Kind::unknown;
  return *after - *between > kLinear * (*between - *before) ? Kind::linear : Kind::slowing;
}

std::optional<double> per_second(const std::vector<double>& differences) {
  if (differences.size() < kLeastOfADay) return std::nullopt;
  return *median(differences) / kDay;
}

// Lows of the last third against those of the first, from the middle of the one to that of the other.
std::optional<double> growth_by_thirds(const SlotRing& lows, std::int64_t hours) {
  const std::int64_t first = hours >= 2 * kWarmHours ? kWarmHours : kFastWarmHours;
  const std::int64_t third = (hours - first) / 3;
  if (third < 1) return std::nullopt;
  const auto before = lowest(lows, first, first + third);
  const auto after = lowest(lows, hours - third, hours);
  if (!before || !after) return std::nullopt;
  return (*after - *before) / (static_cast<double>(hours - first - third) * kHour);
}

}  // namespace

double least_rise(double held) {
  return std::max(kLeastRise, kLeastShare * held);
}

std::optional<double> median(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

std::optional<double> lowest(const SlotRing& hours, std::int64_t first, std::int64_t end) {
  const auto values = present(hours, first, end);
  if (values.empty()) return std::nullopt;
  return std::ranges::min(values);
}

std::optional<double> highest(const SlotRing& hours, std::int64_t first, std::int64_t end) {
  const auto values = present(hours, first, end);
  if (values.empty()) return std::nullopt;
  return std::ranges::max(values);
}

std::vector<double> day_differences(const SlotRing& lows, std::int64_t first, std::int64_t end) {
  std::vector<double> differences;
  for (auto hour = std::max(first, lows.first() + 24); hour < std::min(end, lows.end()); ++hour) {
    if (hour - 24 < kWarmHours) continue;
    const auto now = lows.at(hour);
    const auto before = lows.at(hour - 24);
    if (now && before) differences.push_back(*now - *before);
  }
  return differences;
}

std::optional<double> decide_slope(const SlotRing& lows, std::int64_t hours) {
  return per_second(day_differences(lows, hours - 48, hours));
}

std::optional<double> decide_life_growth(const SlotRing& lows, std::int64_t hours) {
  if (const auto by_days = per_second(day_differences(lows, lows.first(), hours))) return by_days;
  return growth_by_thirds(lows, hours);
}

Verdict decide_verdict(const SlotRing& lows, const SlotRing& highs, std::int64_t hours) {
  Verdict verdict;
  verdict.hours_seen = static_cast<std::int64_t>(present(lows, lows.first(), hours).size());
  verdict.floor = lowest(lows, hours - 24, hours);
  verdict.ceiling = highest(highs, hours - 24, hours);
  const auto differences = day_differences(lows, hours - 48, hours);
  verdict.is_founded = differences.size() >= kLeastOfADay;
  verdict.slope = per_second(differences);
  if (verdict.slope) verdict.rising = share_above(differences, 0);
  verdict.slow = decide_slow(lows, hours);
  verdict.fast = decide_fast(lows, hours);
  verdict.watch = decide_watch(lows, hours);
  verdict.lows_rise = decide_lows_rise(lows, hours);
  verdict.old_ceiling = highest(highs, std::max(kFastWarmHours, hours - kOldHours), hours - 2);
  if (verdict.slow || verdict.fast) verdict.kind = decide_kind(lows, hours);
  return verdict;
}

}  // namespace allocd::drift
