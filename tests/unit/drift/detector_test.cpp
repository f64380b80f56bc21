// SPDX-License-Identifier: Apache-2.0
// One life from its first sample on.
#include "drift/detector.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/drift_series.hpp"

using namespace allocd;
using drift::Detector;
using drift::kDay;
using drift::kHour;
using drift::State;
using test::kGiB;
using test::kMiB;

namespace {

constexpr double kPerHour = kMiB / 3600;

Detector run(const std::vector<test::Point>& series, double limit = 0) {
  Detector detector;
  for (const auto& point : series) (void)detector.feed(test::to_sample(point, limit));
  return detector;
}

// Uptime at which a state is first said.
std::optional<double> first(State state, const std::vector<test::Point>& series, double limit) {
  Detector detector;
  for (const auto& point : series) {
    (void)detector.feed(test::to_sample(point, limit));
    if (detector.report().state == state) return point.uptime;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("drift: before the first sample nothing is known") {
  const Detector detector;
  CHECK(detector.report() == drift::Report{.needed = 78 * kHour});
}

TEST_CASE("drift: a flat service is warming, then normal, and stays it") {
  const auto series = test::make_series({.noise = 5 * kMiB}, 14 * kDay, 60);
  Detector detector;
  for (const auto& point : series) {
    (void)detector.feed(test::to_sample(point, 8 * kGiB));
    const auto report = detector.report();
    REQUIRE(report.state == (point.uptime < 42 * kHour ? State::warming : State::normal));
    REQUIRE(report.window == std::floor(point.uptime / kHour) * kHour);
    REQUIRE(report.needed == 78 * kHour);
  }
  const auto report = detector.report();
  CHECK(report.floor.value() == Approx(4 * kGiB).margin(5 * kMiB));
  CHECK(report.warm_floor.value() == Approx(4 * kGiB).margin(5 * kMiB));
  CHECK(report.falls.value() < 0.003);
  CHECK(report.memory == series.back().memory);
  CHECK(report.limit == 8 * kGiB);
  CHECK(report.lows.size() == 56);
  CHECK(report.kind == drift::Kind::unknown);
}

TEST_CASE("drift: 20 MB an hour under the load of days is drift by 78 hours, with a time to the limit") {
  const auto series = test::make_series(
      {.daily = 600 * kMiB, .leak = 20 * kPerHour, .noise = 20 * kMiB, .warm_up = kGiB}, 90 * kHour, 60);
  const auto at = first(State::drift, series, 16 * kGiB);
  REQUIRE(at);
  CHECK(*at <= 78 * kHour + 120);
  const auto report = run(series, 16 * kGiB).report();
  CHECK(report.slow);
  CHECK(report.slope.value() == Approx(20 * kPerHour).epsilon(0.1));
  CHECK(report.rising.value() > 0.95);
  CHECK(report.time_to_limit.value() == Approx((16 * kGiB - *report.ceiling) / *report.slope));
  CHECK(report.time_to_limit.value() / kHour == Approx(450).epsilon(0.15));
}

TEST_CASE("exhaustion: 500 MB an hour is said hours before a limit of 8 GiB") {
  const auto series = test::make_series({.leak = 500 * kPerHour, .noise = 20 * kMiB}, 9 * kHour, 60);
  const auto at = first(State::exhaustion, series, 8 * kGiB);
  REQUIRE(at);
  CHECK(*at < 6 * kHour);
  CHECK_FALSE(first(State::exhaustion, series, 0));
  CHECK_FALSE(first(State::exhaustion, series, 64 * kGiB));
  const auto report =
      run(test::make_series({.leak = 500 * kPerHour, .noise = 20 * kMiB}, 7 * kHour, 60), 8 * kGiB).report();
  CHECK(report.exhaustion);
  CHECK_FALSE(report.slope);  // younger than a day
  CHECK(report.time_to_limit.value() == Approx((8 * kGiB - *report.memory) / (500 * kPerHour)).epsilon(0.2));
}

TEST_CASE("exhaustion: a sample that could not be read does not end it") {
  auto detector =
      run(test::make_series({.leak = 500 * kPerHour, .noise = 20 * kMiB}, 7 * kHour, 60), 8 * kGiB);
  REQUIRE(detector.report().exhaustion);
  detector.forget_now();
  CHECK(detector.report().exhaustion);
  CHECK_FALSE(detector.report().memory);
}

TEST_CASE("exhaustion: not before 2.75 hours, and not of loading") {
  const auto loading = test::make_series({.base = 0, .leak = 2.4 * kGiB / 3600}, 3 * kHour, 10);
  const auto at = first(State::exhaustion, loading, 8 * kGiB);
  REQUIRE(at);
  CHECK(*at >= 2.75 * kHour);
}

TEST_CASE("exhaustion: not of a job that rises within minutes, nor of what the week has seen") {
  auto series = test::make_series({}, 60 * kHour, 60);
  for (auto& point : series) {
    // Each day's 20th hour: 3 GiB more within 20 minutes, for two hours.
    const double into = std::fmod(point.uptime, kDay) - 20.3 * kHour;
    if (into > 0 && into < 2 * kHour) point.memory += 3 * kGiB * std::min(1.0, into / 1200);
  }
  CHECK_FALSE(first(State::exhaustion, series, 7.5 * kGiB));
}

TEST_CASE("drift: without a limit there is no time to one") {
  const auto report = run(test::make_series({.leak = 20 * kPerHour}, 90 * kHour, 300)).report();
  CHECK(report.limit_kind == drift::LimitKind::none);
  CHECK_FALSE(report.limit);
  CHECK_FALSE(report.time_to_limit);
  const auto over = run(test::make_series({.leak = 20 * kPerHour}, 90 * kHour, 300), 5 * kGiB).report();
  CHECK(over.time_to_limit == 0.0);
  const auto falling = run(test::make_series({.leak = -5 * kPerHour}, 90 * kHour, 300), 8 * kGiB).report();
  CHECK_FALSE(falling.time_to_limit);
}

TEST_CASE("drift: a life that is first seen late is warming until it was watched for long enough") {
  auto series = test::make_series({.base = 16 * kGiB, .leak = 20 * kPerHour, .noise = kMiB}, 200 * kHour, 60);
  std::erase_if(series, [](const auto& point) { return point.uptime < 100 * kHour; });
  Detector detector;
  for (const auto& point : series) {
    (void)detector.feed(test::to_sample(point));
    const auto report = detector.report();
    if (point.uptime < 136 * kHour) REQUIRE(report.state == State::warming);
    REQUIRE_FALSE(report.warm_floor);
    if (report.slow) {
      // The day before the window, and the two days of it.
      CHECK(point.uptime == Approx(160 * kHour).margin(12 * kHour));
      return;
    }
  }
  FAIL("never said");
}

TEST_CASE("drift: an outage of two days makes the verdict warming again, not normal") {
  auto series = test::make_series({}, 200 * kHour, 300);
  std::erase_if(series,
                [](const auto& point) { return point.uptime > 90 * kHour && point.uptime < 150 * kHour; });
  const auto before =
      run({series.begin(),
           std::ranges::find_if(series, [](const auto& point) { return point.uptime > 90 * kHour; })});
  CHECK(before.report().state == State::normal);
  std::erase_if(series, [](const auto& point) { return point.uptime > 155 * kHour; });
  const auto report = run(series).report();
  CHECK(report.state == State::warming);
  CHECK_FALSE(report.slope);
}

TEST_CASE("drift: samples out of order, twice, or that are no numbers are not taken in") {
  Detector detector;
  REQUIRE(detector.feed({.uptime = 100, .memory = 5}));
  const auto before = detector.state();
  const double none = std::numeric_limits<double>::quiet_NaN();
  const double endless = std::numeric_limits<double>::infinity();
  for (const auto& [uptime, memory] : std::vector<std::pair<double, double>>{{100, 5},
                                                                             {99, 5},
                                                                             {-1, 5},
                                                                             {none, 5},
                                                                             {endless, 5},
                                                                             {1e300, 5},
                                                                             {101, none},
                                                                             {101, -1},
                                                                             {101, 1e300}})
    CHECK_FALSE(detector.feed({.uptime = uptime, .memory = memory}));
  CHECK(detector.state() == before);
}

TEST_CASE("drift: the share of samples at their peak is of the last day") {
  Detector detector;
  for (const auto& point : test::make_series({}, 60 * kHour, 600)) {
    auto sample = test::to_sample(point);
    sample.at_peak = point.uptime < 24 * kHour || point.uptime >= 48 * kHour;
    (void)detector.feed(sample);
    if (point.uptime < 24 * kHour) REQUIRE(detector.report().at_peak == 1.0);
  }
  CHECK(detector.report().at_peak.value() == Approx(0.5).margin(0.05));
}

TEST_CASE("drift: roles have floors and slopes of their own; one that has gone is told of for a day") {
  Detector detector;
  for (const auto& point : test::make_series({}, 100 * kHour, 300)) {
    const std::vector<drift::RoleMemory> roles{
        {engine::Role::scheduler, 7 * kMiB},
        {engine::Role::worker, point.memory + 30 * kPerHour * point.uptime}};
    auto sample = test::to_sample(point);
    sample.roles = roles;
    if (point.uptime > 60 * kHour) sample.roles = sample.roles.subspan(1);
    REQUIRE(detector.feed(sample));
    if (point.uptime > 80 * kHour && point.uptime < 83 * kHour) REQUIRE(detector.report().roles.size() == 2);
  }
  const auto roles = detector.report().roles;
  REQUIRE(roles.size() == 1);
  CHECK(roles[0].role == engine::Role::worker);
  CHECK(roles[0].memory.has_value());
  CHECK(roles[0].slope.value() == Approx(30 * kPerHour).epsilon(0.01));
  CHECK(roles[0].floor.value() == Approx(4 * kGiB + 76 * 30 * kMiB).epsilon(0.01));
}

TEST_CASE("drift: lows are of six hours each, the newest 15 days of them") {
  Detector detector;
  for (double uptime = 300; uptime < 20 * kDay; uptime += 300) {
    REQUIRE(detector.feed({.uptime = uptime, .memory = std::floor(uptime / kHour) * kMiB}));
    REQUIRE(detector.report().lows.size() <= 60);
  }
  const auto lows = detector.report().lows;
  REQUIRE(lows.size() == 60);
  CHECK(lows.back() == Approx((20 * 24 - 6 - 1) * kMiB).margin(kMiB));
  CHECK(lows.front().has_value());
  CHECK(*lows[1] - *lows[0] == Approx(6 * kMiB));
}

TEST_CASE("drift: what cannot be read now is not shown as now") {
  auto detector = run(test::make_series({}, 3 * kHour, 60), 8 * kGiB);
  detector.forget_now();
  const auto report = detector.report();
  CHECK(report.known);
  CHECK_FALSE(report.memory);
  CHECK(report.floor);
}
