// SPDX-License-Identifier: Apache-2.0
// The lives of a unit, one after another.
#include "drift/unit_history.hpp"

#include "support/catch.hpp"
#include "support/drift_series.hpp"

using namespace allocd;
using drift::kDay;
using drift::kHour;
using drift::LifeKey;
using drift::UnitHistory;
using test::kGiB;
using test::kMiB;

namespace {

constexpr double kBegin = 1.8e9;
constexpr double kPerHour = kMiB / 3600;

// One life of `hours` from `started`; the newest sample's time.
double live(UnitHistory& history, std::uint32_t pid, double started, double hours,
            const test::SeriesShape& shape = {}) {
  double now = started;
  for (const auto& point : test::make_series(shape, hours * kHour + 1, 300)) {
    now = started + point.uptime;
    REQUIRE(history.feed({"boot", pid, pid * 100}, now, test::to_sample(point)));
  }
  return now;
}

}  // namespace

TEST_CASE("unit history: nightly restarts do not hide a leak: too short for a verdict, never normal") {
  UnitHistory history("vllm.service");
  double now = kBegin;
  for (std::uint32_t night = 0; night < 12; ++night) {
    now = live(history, 100 + night, now, 23.9,
               {.base = 16 * kGiB, .leak = 20 * kPerHour, .noise = kMiB, .warm_up = kGiB}) +
          60;
    const auto report = history.report();
    CHECK(report.state == drift::State::warming);
    CHECK(report.lives.size() == std::min<std::size_t>(night, 8));
    CHECK(report.lives_growth_per_second.has_value() == (night >= 3));
    CHECK(report.window < report.needed);
  }
  const auto report = history.report();
  CHECK(report.lives_growth_per_second.value() == Approx(20 * kPerHour).epsilon(0.3));
  const auto& last = report.lives.back();
  CHECK(last.started_at > report.lives.front().started_at);
  CHECK(last.ended_at - last.started_at == Approx(23.9 * kHour).margin(400));
  CHECK(last.warm_floor.value() > 4 * kGiB);
  CHECK(report.life_started_at > last.ended_at);
  // While it is down, what is known is of the ended lives.
  const auto down = history.report_of_ended();
  CHECK_FALSE(down.known);
  CHECK(down.lives == report.lives);
  CHECK(down.lives_growth_per_second == report.lives_growth_per_second);
  CHECK_FALSE(down.floor);
}

TEST_CASE("unit history: boot, process and start are one key; each of them ends a life") {
  UnitHistory history("a.service");
  const auto feed = [&](const LifeKey& key, double uptime) {
    return history.feed(key, kBegin + uptime, {.uptime = uptime, .memory = 1});
  };
  for (double uptime = 300; uptime < 3 * kHour; uptime += 300) REQUIRE(feed({"b", 1, 1}, uptime));
  REQUIRE(feed({"b", 1, 2}, 10));
  CHECK(history.report().lives.size() == 1);
  for (double uptime = 300; uptime < 3 * kHour; uptime += 300) REQUIRE(feed({"b", 1, 2}, uptime));
  REQUIRE(feed({"b", 2, 2}, 10));
  CHECK(history.report().lives.size() == 2);
  for (double uptime = 300; uptime < 3 * kHour; uptime += 300) REQUIRE(feed({"b", 2, 2}, uptime));
  REQUIRE(feed({"c", 2, 2}, 10));
  CHECK(history.report().lives.size() == 3);
  CHECK(history.report().window == 0);
}

TEST_CASE("unit history: a crash loop does not push out the lives that tell something") {
  UnitHistory history("a.service");
  double now = live(history, 1, kBegin, 30);
  for (std::uint32_t crash = 0; crash < 50; ++crash) now = live(history, 10 + crash, now + 5, 0.4);
  const auto report = history.report();
  REQUIRE(report.lives.size() == 1);
  CHECK(report.lives[0].started_at == kBegin);
}

TEST_CASE("unit history: a wall clock that is set moves times that are shown, and nothing else") {
  UnitHistory steady("a.service");
  UnitHistory jumpy("a.service");
  for (const auto& point : test::make_series({.leak = 20 * kPerHour}, 90 * kHour, 300)) {
    const double jump = point.uptime > 50 * kHour ? 400 * kDay : 0;
    REQUIRE(steady.feed({"b", 1, 1}, kBegin + point.uptime, test::to_sample(point)));
    REQUIRE(jumpy.feed({"b", 1, 1}, kBegin + point.uptime + jump, test::to_sample(point)));
  }
  auto expected = steady.report();
  CHECK(expected.life_started_at == kBegin);
  expected.life_started_at += 400 * kDay;
  CHECK(jumpy.report() == expected);
  CHECK(expected.slow);
}

TEST_CASE("unit history: a clock that is disciplined does not make the start of a life tremble") {
  UnitHistory history("a.service");
  for (int i = 1; i < 100; ++i) {
    const double tremble = i % 2 == 0 ? 0.5 : -0.5;
    REQUIRE(history.feed({"b", 1, 1}, kBegin + i * 10 + tremble, {.uptime = i * 10.0, .memory = 1}));
    CHECK(history.report().life_started_at == history.facts().started_at);
    CHECK(history.facts().started_at == kBegin - 0.5);
  }
}

TEST_CASE("unit history: an uptime set back by hours, as a restored machine's, begins another life") {
  UnitHistory history("a.service");
  live(history, 1, kBegin, 50);
  CHECK_FALSE(history.feed({"boot", 1, 100}, kBegin, {.uptime = 49.5 * kHour, .memory = 1}));
  REQUIRE(history.feed({"boot", 1, 100}, kBegin, {.uptime = 20 * kHour, .memory = 1}));
  CHECK(history.report().lives.size() == 1);
  CHECK(history.report().window == 0);
}
