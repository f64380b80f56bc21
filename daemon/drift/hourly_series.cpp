// SPDX-License-Identifier: Apache-2.0
#include "drift/hourly_series.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace allocd::drift {

namespace {

constexpr int kLeastParts = 4;  // of 12; at the slowest pace that can be set, ten minutes, 6 are seen
// What lies on two sides of such a gap is not smoothed together.
constexpr double kLongestGap = 1800;

}  // namespace

std::optional<double> MedianOfFive::push(double value) {
  if (count == values.size()) {
    std::shift_left(values.begin(), values.end(), 1);
    --count;
  }
  values.at(count++) = value;
  if (count < values.size()) return std::nullopt;
  auto sorted = values;
  std::ranges::nth_element(sorted, sorted.begin() + 2);
  return sorted[2];
}

HourlySeries::HourlySeries(std::size_t hours_of_lows, std::size_t hours_of_highs)
    : lows(hours_of_lows), highs(hours_of_highs) {
}

std::optional<double> HourlySeries::feed(double uptime, double value) {
  if (!(uptime > last_uptime)) return std::nullopt;
  if (last_uptime >= 0 && uptime - last_uptime > kLongestGap) window = {};
  last_uptime = uptime;
  const auto hour = static_cast<std::int64_t>(std::floor(uptime / kHour));
  if (hour > running.hour) begin_hour(hour);
  const auto smoothed = window.push(value);
  if (!smoothed) return std::nullopt;
  const bool is_first = running.parts == 0;
  running.low = is_first ? *smoothed : std::min(running.low, *smoothed);
  running.high = is_first ? *smoothed : std::max(running.high, *smoothed);
  const auto part = static_cast<unsigned>((uptime - static_cast<double>(hour) * kHour) / kPart);
  running.parts = static_cast<std::uint16_t>(running.parts | (1U << std::min(part, 11U)));
  return smoothed;
}

void HourlySeries::begin_hour(std::int64_t hour) {
  if (running.hour >= 0) {
    const bool counts = std::popcount(running.parts) >= kLeastParts;
    lows.put(running.hour, counts ? std::optional(running.low) : std::nullopt);
    highs.put(running.hour, counts ? std::optional(running.high) : std::nullopt);
  }
  // Whatever lies between was not seen. Nothing is put when that hour has just been.
  lows.put(hour - 1, std::nullopt);
  highs.put(hour - 1, std::nullopt);
  running = {.hour = hour};
}

}  // namespace allocd::drift
