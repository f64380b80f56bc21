// SPDX-License-Identifier: Apache-2.0
// Made-up memory of a service over days, for the tests of drift: the same for the same seed.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

#include "drift/detector.hpp"

namespace allocd::test {

inline constexpr double kMiB = 1024.0 * 1024.0;
inline constexpr double kGiB = 1024.0 * kMiB;

struct SeriesShape {
  double base = 4 * kGiB;
  double daily = 0;    // how far a day's load lifts it
  double leak = 0;     // a second
  double noise = 0;    // of each sample, to either side
  double warm_up = 0;  // held after the first hours, besides
  double step = 0;     // once, at step_at
  double step_at = 0;
};

struct Point {
  double uptime = 0;
  double memory = 0;
  bool operator==(const Point&) const = default;
};

inline double memory_at(const SeriesShape& shape, double uptime, std::mt19937& random) {
  double memory = shape.base + shape.leak * uptime;
  memory += shape.daily * (1 + std::sin(2 * std::numbers::pi * uptime / drift::kDay)) / 2;
  memory += shape.warm_up * (1 - std::exp(-uptime / (2 * drift::kHour)));
  if (uptime >= shape.step_at) memory += shape.step;
  memory += std::uniform_real_distribution<double>(-shape.noise, shape.noise)(random);
  return std::floor(memory / 1024) * 1024;
}

inline std::vector<Point> make_series(const SeriesShape& shape, double seconds, double interval,
                                      std::uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::vector<Point> series;
  for (double uptime = interval; uptime < seconds; uptime += interval)
    series.push_back({uptime, memory_at(shape, uptime, random)});
  return series;
}

inline drift::Sample to_sample(const Point& point, double limit = 0) {
  drift::Sample sample{.uptime = point.uptime, .memory = point.memory};
  if (limit > 0) {
    sample.limit_kind = drift::LimitKind::cgroup;
    sample.limit = limit;
  }
  return sample;
}

// What is seen of it when hours are missing, samples come twice or late, and the first comes late.
inline std::vector<Point> damage(const std::vector<Point>& series, std::uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); };
  std::vector<Point> seen;
  std::int64_t hour = -1;
  bool is_missing = false;
  for (const auto& point : series) {
    const auto now = static_cast<std::int64_t>(point.uptime / drift::kHour);
    if (now != hour) is_missing = below(5) == 0;
    hour = now;
    if (is_missing || below(50) == 0) continue;
    seen.push_back(point);
    if (below(30) == 0) seen.push_back(point);
    if (below(30) == 0 && seen.size() > 3) seen.push_back(seen[seen.size() - 3]);
  }
  return seen;
}

}  // namespace allocd::test
