// SPDX-License-Identifier: Apache-2.0
// Drift, whatever the series: a restart of allocd anywhere changes nothing, what is kept is bounded, and the
// rules say what a second implementation says that looks at the whole series. Seeds are printed on failure.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "drift/state_text.hpp"
#include "drift/unit_history.hpp"
#include "support/catch.hpp"
#include "support/drift_series.hpp"
#include "support/rounds.hpp"

namespace {

using namespace allocd;
using drift::kDay;
using drift::kHour;
using drift::UnitHistory;
using test::kGiB;
using test::kMiB;
using test::Point;

constexpr double kBegin = 1.8e9;

test::SeriesShape any_shape(std::mt19937& random) {
  const auto below = [&](std::uint32_t limit) { return static_cast<double>(random() % limit); };
  test::SeriesShape shape;
  shape.base = random() % 2 == 0 ? 4 * kGiB : 60 * kGiB;
  if (random() % 2 == 0) shape.daily = below(20) / 100 * shape.base;
  if (random() % 2 == 0) shape.leak = below(500) * kMiB / kHour;
  if (random() % 2 == 0) shape.noise = below(50) * kMiB;
  if (random() % 2 == 0) shape.warm_up = below(30) / 100 * shape.base;
  if (random() % 3 == 0) shape.step = below(1000) * kMiB, shape.step_at = below(200) * kHour;
  return shape;
}

std::vector<Point> any_series(std::uint32_t seed, double days) {
  std::mt19937 random(seed);
  const double interval = random() % 2 == 0 ? 60 : 240;
  const auto shape = any_shape(random);
  const auto series = test::make_series(shape, days * kDay, interval, seed);
  return random() % 3 == 0 ? series : test::damage(series, seed);
}

// ---- the second implementation: keeps everything, and looks at all of it each time
// --------------------------

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  const auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

struct Told {
  bool slow = false, fast = false, exhaustion = false;
  std::optional<double> slope, rising, floor, ceiling, warm_floor;
};

class WholeSeries {
 public:
  void feed(const Point& point) {
    if (!taken_.empty() && point.uptime <= taken_.back().uptime) return;
    taken_.push_back(point);
    has_smooth_ = false;
    if (taken_.size() < 5) return;
    std::vector<double> five;
    for (std::size_t i = taken_.size() - 5; i < taken_.size(); ++i) {
      if (!five.empty() && taken_[i].uptime - taken_[i - 1].uptime > 1800) return;
      five.push_back(taken_[i].memory);
    }
    smooth_.push_back({point.uptime, median_of(five)});
    has_smooth_ = true;
    hours_[static_cast<std::int64_t>(point.uptime / 3600)].push_back(smooth_.back());
    parts_[static_cast<std::int64_t>(point.uptime / 300)].push_back(smooth_.back().memory);
  }

  [[nodiscard]] Told tell(double limit) const {
    const auto now = static_cast<std::int64_t>(taken_.back().uptime / 3600);
    std::map<std::int64_t, double> low, high;
    for (const auto& [hour, points] : hours_) {
      std::set<int> seen;
      for (const auto& point : points)
        seen.insert(static_cast<int>((point.uptime - 3600.0 * static_cast<double>(hour)) / 300));
      if (hour >= now || seen.size() < 4) continue;
      const auto [least, most] = std::ranges::minmax(points, {}, &Point::memory);
      low[hour] = static_cast<float>(least.memory);
      high[hour] = static_cast<float>(most.memory);
    }
    Told told;
    told.warm_floor = extreme(low, 6, 30, false);
    const auto is_kept = [&](const auto& entry) { return entry.first >= now - 360; };
    std::erase_if(low, [&](const auto& entry) { return !is_kept(entry); });
    told.floor = extreme(low, now - 24, now, false);
    told.ceiling = extreme(high, now - 24, now, true);
    tell_days(low, now, told);
    tell_fast(low, now, told);
    const bool rises = low.contains(now - 1) && low.contains(now - 2) && low[now - 1] > 1.001 * low[now - 2];
    const auto old = extreme(high, std::max<std::int64_t>(2, now - 168), now - 2, true);
    told.exhaustion = rises && has_smooth_ && taken_.back().uptime >= 9900 &&
                      smooth_.back().memory > 0.8 * limit && (!old || smooth_.back().memory > *old) &&
                      leads_past(limit, 24) && leads_past(limit, 12);
    return told;
  }

 private:
  static std::optional<double> extreme(const std::map<std::int64_t, double>& hours, std::int64_t first,
                                       std::int64_t end, bool most) {
    std::optional<double> found;
    for (const auto& [hour, value] : hours) {
      if (hour < first || hour >= end) continue;
      if (!found || (most ? value > *found : value < *found)) found = value;
    }
    return found;
  }

  static void tell_days(std::map<std::int64_t, double>& low, std::int64_t now, Told& told) {
    std::vector<double> both, first, second, base;
    for (auto hour = now - 48; hour < now; ++hour) {
      if (hour - 24 < 6 || !low.contains(hour) || !low.contains(hour - 24)) continue;
      const double d = low[hour] - low[hour - 24];
      both.push_back(d);
      (hour < now - 24 ? first : second).push_back(d);
    }
    for (auto hour = now - 72; hour < now - 48; ++hour) {
      if (low.contains(hour)) base.push_back(low[hour]);
    }
    if (both.size() < 12) return;
    told.slope = median_of(both) / 86400;
    told.rising = static_cast<double>(std::ranges::count_if(both, [](double d) { return d > 0; })) /
                  static_cast<double>(both.size());
    if (now < 78 || base.empty() || first.size() < 12 || second.size() < 12) return;
    const double least = std::max(96 * kMiB, 0.004 * median_of(base));
    std::vector<double> deviations;
    for (const double d : both) deviations.push_back(std::abs(d - median_of(both)));
    const auto risen = std::ranges::count_if(both, [&](double d) { return d > 0.3 * least; });
    told.slow = median_of(first) > least && median_of(second) > least &&
                static_cast<double>(risen) >= 0.9 * static_cast<double>(both.size()) &&
                median_of(both) > 2.75 * median_of(deviations);
  }

  static void tell_fast(std::map<std::int64_t, double>& low, std::int64_t now, Told& told) {
    std::vector<double> floors;
    for (auto hour = std::max<std::int64_t>(2, now - 28); hour < now - 4; ++hour) {
      if (low.contains(hour)) floors.push_back(low[hour]);
    }
    if (floors.size() < 12) return;
    const double base = std::ranges::min(floors);
    told.fast = low.contains(now - 4) && low[now - 4] - std::ranges::max(floors) > 0.005 * base;
    for (auto hour = now - 3; hour < now; ++hour) {
      told.fast =
          told.fast && low.contains(hour) && low[hour] - low[hour - 1] >= std::max(8 * kMiB, 0.002 * base);
    }
  }

  [[nodiscard]] bool leads_past(double limit, std::int64_t length) const {
    const auto now = parts_.rbegin()->first;
    std::vector<Point> means;
    for (const auto& [part, values] : parts_) {
      if (part < now - length || part >= now) continue;
      double sum = 0;
      for (const double value : values) sum += value;
      means.push_back({static_cast<double>(part) * 300 + 150,
                       static_cast<float>(sum / static_cast<double>(values.size()))});
    }
    if (std::ssize(means) < length / 3) return false;
    double t = 0, y = 0, tt = 0, ty = 0;
    for (const auto& mean : means) t += mean.uptime, y += mean.memory;
    t /= static_cast<double>(means.size());
    y /= static_cast<double>(means.size());
    for (const auto& mean : means) {
      tt += (mean.uptime - t) * (mean.uptime - t);
      ty += (mean.uptime - t) * (mean.memory - y);
    }
    const double then = y + ty / tt * (taken_.back().uptime + 14400 - t);
    return ty > 0 && then > limit;
  }

  std::vector<Point> taken_;
  std::vector<Point> smooth_;
  bool has_smooth_ = false;
  std::map<std::int64_t, std::vector<Point>> hours_;
  std::map<std::int64_t, std::vector<double>> parts_;
};

void compare(const drift::Report& report, const Told& told) {
  CHECK(report.slow == told.slow);
  CHECK(report.fast == told.fast);
  CHECK(report.exhaustion == told.exhaustion);
  CHECK(report.slope == told.slope);
  CHECK(report.rising == told.rising);
  CHECK(report.floor == told.floor);
  CHECK(report.ceiling == told.ceiling);
  CHECK(report.warm_floor == told.warm_floor);
}

UnitHistory restarted(const UnitHistory& history) {
  auto parsed = drift::parse_state(drift::render_state(history), history.facts().unit);
  REQUIRE(parsed);
  return std::move(*parsed);
}

}  // namespace

TEST_CASE("drift: the rules say what an implementation says that looks at the whole series") {
  int slow = 0, fast = 0, exhaustion = 0;
  for (int round = 0; round < test::rounds(120); ++round) {
    const auto seed = static_cast<std::uint32_t>(round);
    INFO("seed " << seed);
    const double limit = round % 2 == 0 ? 8 * kGiB : 96 * kGiB;
    drift::Detector detector;
    WholeSeries whole;
    std::mt19937 random(seed + 1000);
    for (const auto& point : any_series(seed, round % 10 == 0 ? 17 : 5)) {
      if (point.memory > limit) break;
      const auto before = detector.hours();
      (void)detector.feed(test::to_sample(point, limit));
      whole.feed(point);
      if (detector.hours() == before && random() % 200 != 0) continue;
      const auto told = whole.tell(limit);
      compare(detector.report(), told);
      slow += told.slow ? 1 : 0;
      fast += told.fast ? 1 : 0;
      exhaustion += told.exhaustion ? 1 : 0;
    }
  }
  // The rounds have something to say.
  const bool are_few = test::kFewer > 1;
  CHECK((slow > 0 || are_few));
  CHECK((fast > 0 || are_few));
  CHECK((exhaustion > 0 || are_few));
}

TEST_CASE("drift: any split of a series into restarts of allocd gives the same report") {
  for (int round = 0; round < test::rounds(120); ++round) {
    const auto seed = static_cast<std::uint32_t>(round);
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const std::uint32_t one_in = 1U << (random() % 12);
    UnitHistory whole("a.service");
    UnitHistory split("a.service");
    drift::LifeKey key{"boot", 1, 1};
    double life_began = 0;
    for (const auto& point : any_series(seed, 4)) {
      const bool is_new_life = random() % 3000 == 0;
      if (is_new_life) ++key.pid, life_began = point.uptime - 1;
      auto sample = test::to_sample({point.uptime - life_began, point.memory}, 8 * kGiB);
      sample.at_peak = random() % 2 == 0;
      const std::vector<drift::RoleMemory> roles{
          {engine::Role::scheduler, static_cast<double>(random() % 1000)},
          {engine::Role::worker, point.memory}};
      sample.roles = roles;
      if (random() % 10 == 0) sample.roles = sample.roles.subspan(1);
      if (random() % one_in == 0) split = restarted(split);
      (void)whole.feed(key, kBegin + point.uptime, sample);
      const bool is_taken = split.feed(key, kBegin + point.uptime, sample);
      // What is now is in no file: after a restart it comes with the next sample.
      if (is_taken && random() % 50 == 0) REQUIRE(whole.report() == split.report());
    }
    CHECK(whole.facts() == split.facts());
    CHECK(whole.life() == split.life());
  }
}

TEST_CASE("drift: what is kept is bounded, however long and odd the series") {
  for (int round = 0; round < test::rounds(40) + 1; ++round) {
    INFO("seed " << round);
    std::mt19937 random(static_cast<std::uint32_t>(round));
    UnitHistory history("a.service");
    drift::LifeKey key{"boot", 1, 1};
    double uptime = 0;
    for (int i = 0; i < 20'000; ++i) {
      uptime += static_cast<double>(random() % 100'000) / (1 + static_cast<double>(random() % 1000));
      if (random() % 500 == 0) uptime = static_cast<double>(random() % 1000), ++key.pid;
      std::vector<drift::RoleMemory> roles;
      for (const auto role : engine::kRoleNames.values()) {
        if (random() % 2 == 0) roles.push_back({role, static_cast<double>(random()) * 1e3});
      }
      drift::Sample sample{.uptime = uptime, .memory = static_cast<double>(random()) * 1e3};
      sample.roles = roles;
      (void)history.feed(key, kBegin, sample);
    }
    const auto report = history.report();
    CHECK(report.lows.size() <= 60);
    CHECK(report.lives.size() <= 8);
    CHECK(report.roles.size() <= engine::kRoleNames.names.size());
    CHECK(history.life().memory.lows.size() == drift::kHoursKept);
    CHECK(drift::render_state(history).size() < 60'000);
  }
}
