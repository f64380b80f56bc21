// SPDX-License-Identifier: Apache-2.0
// The rules over hours laid out by hand.
#include "drift/rules.hpp"

#include <functional>

#include "drift/hourly_series.hpp"
#include "support/catch.hpp"
#include "support/drift_series.hpp"

using namespace allocd;
using drift::decide_verdict;
using drift::SlotRing;
using test::kGiB;
using test::kMiB;

namespace {

struct Hours {
  SlotRing lows{360};
  SlotRing highs{360};
  std::int64_t count = 0;

  // Each hour's low by `low`, nothing for one that was not seen; the high is `spread` above it.
  Hours(std::int64_t hours, const std::function<std::optional<double>(std::int64_t)>& low,
        double spread = 10 * kMiB) {
    for (; count < hours; ++count) {
      const auto value = low(count);
      lows.put(count, value);
      highs.put(count, value ? std::optional(*value + spread) : std::nullopt);
    }
  }
  [[nodiscard]] drift::Verdict verdict() const { return decide_verdict(lows, highs, count); }
};

// From 4 GiB, so many MiB an hour.
std::function<std::optional<double>(std::int64_t)> rising(double mib_an_hour) {
  return [=](std::int64_t hour) { return 4 * kGiB + mib_an_hour * static_cast<double>(hour) * kMiB; };
}

double at_night(std::int64_t hour) {
  return hour % 24 < 8 ? 0 : 800 * kMiB;
}

}  // namespace

TEST_CASE("drift rules: the median of an even count is the mean of the middle two") {
  CHECK_FALSE(drift::median({}));
  CHECK(drift::median({3}) == 3.0);
  CHECK(drift::median({4, 1, 3, 2}) == 2.5);
  CHECK(drift::median({5, 1, 3}) == 3.0);
}

TEST_CASE("slow drift: first possible at 78 hours, and then said") {
  CHECK_FALSE(Hours(77, rising(5)).verdict().slow);
  CHECK(Hours(78, rising(5)).verdict().slow);
}

TEST_CASE("slow drift: 96 MiB a day is the least for a small service, 0.4 % for a large one") {
  CHECK_FALSE(Hours(78, rising(3.9)).verdict().slow);
  CHECK(Hours(78, rising(4.1)).verdict().slow);
  const auto large = [](double share_a_day) {
    return [=](std::int64_t hour) { return 60 * kGiB * (1 + share_a_day * static_cast<double>(hour) / 24); };
  };
  CHECK_FALSE(Hours(78, large(0.0039)).verdict().slow);
  CHECK(Hours(78, large(0.0042)).verdict().slow);
}

TEST_CASE("slow drift: a step, warm-up, or the load of a day is none") {
  const auto step = [](std::int64_t hour) { return 4 * kGiB + (hour < 60 ? 0 : kGiB); };
  const auto warm_up = [](std::int64_t hour) { return hour < 6 ? 1 * kGiB : 4 * kGiB; };
  const auto daily = [](std::int64_t hour) { return 4 * kGiB + at_night(hour); };
  for (std::int64_t hours = 1; hours < 200; ++hours) {
    CHECK_FALSE(Hours(hours, step).verdict().slow);
    CHECK_FALSE(Hours(hours, warm_up).verdict().slow);
    CHECK_FALSE(Hours(hours, daily).verdict().slow);
  }
}

TEST_CASE("slow drift: a leak under the load of days is seen, also with hours missing") {
  const auto leak = [](std::int64_t hour) -> std::optional<double> {
    if (hour % 7 == 3) return std::nullopt;
    return 4 * kGiB + at_night(hour) + 20 * kMiB * static_cast<double>(hour);
  };
  const auto verdict = Hours(90, leak).verdict();
  CHECK(verdict.slow);
  CHECK(verdict.slope == Approx(20 * kMiB / 3600));
  CHECK(verdict.rising == 1.0);
  CHECK(verdict.is_founded);
}

TEST_CASE("slow drift: a day of which less than half was seen says nothing") {
  const auto leak = [](std::int64_t hour) -> std::optional<double> {
    if (hour >= 76 && hour < 89) return std::nullopt;
    return 4 * kGiB + 20 * kMiB * static_cast<double>(hour);
  };
  CHECK_FALSE(Hours(100, leak).verdict().slow);
  CHECK(Hours(75, leak).verdict().is_founded);
}

TEST_CASE("slow drift: one hour in ten that fell, or differences that disagree, take it back") {
  const auto falls = [](std::int64_t hour) {
    return 4 * kGiB + 20 * kMiB * static_cast<double>(hour) - (hour % 7 == 0 && hour > 50 ? kGiB : 0);
  };
  const auto verdict = Hours(98, falls).verdict();
  CHECK_FALSE(verdict.slow);
  CHECK(verdict.rising.value() < 0.9);
  CHECK(verdict.watch);  // the last day did rise
}

TEST_CASE("watch: the last day raised the floor, the day before did not") {
  const auto late = [](std::int64_t hour) {
    return 4 * kGiB + (hour < 100 ? 0 : 20 * kMiB * static_cast<double>(hour - 100));
  };
  CHECK_FALSE(Hours(100, late).verdict().watch);
  const auto verdict = Hours(124, late).verdict();
  CHECK(verdict.watch);
  CHECK_FALSE(verdict.slow);
  CHECK(Hours(160, late).verdict().slow);
}

TEST_CASE("slow drift: hours that hardly rose do not count, as between two steps") {
  const auto steps = [](std::int64_t hour) {
    return 4 * kGiB + (hour < 31 ? 0 : 300 * kMiB) + (hour < 62 ? 0 : 300 * kMiB) +
           kMiB * static_cast<double>(hour);
  };
  for (std::int64_t hours = 78; hours < 100; ++hours) CHECK_FALSE(Hours(hours, steps).verdict().slow);
}

TEST_CASE("fast drift: first possible at 18 hours; four lows that rise above those of the day before") {
  const auto jump = [](std::int64_t from) {
    return [=](std::int64_t hour) {
      return 4 * kGiB + (hour < from ? 0 : 100 * kMiB * static_cast<double>(hour - from + 1));
    };
  };
  CHECK(Hours(18, jump(14)).verdict().fast);
  CHECK_FALSE(Hours(17, jump(13)).verdict().fast);
  CHECK_FALSE(Hours(18, jump(15)).verdict().fast);  // the first of the four is no higher than the day before
  const auto plateau = [](std::int64_t hour) { return 4 * kGiB + (hour < 17 ? 0 : 300 * kMiB); };
  for (std::int64_t hours = 18; hours < 30; ++hours) CHECK_FALSE(Hours(hours, plateau).verdict().fast);
  CHECK(Hours(18, jump(14), kGiB).verdict().fast);  // what a burst takes is no floor
}

TEST_CASE("fast drift: 8 MiB an hour for a small service, 0.2 % for a large one") {
  const auto make = [](double base, double an_hour) {
    return [=](std::int64_t hour) {
      return base * (hour < 20 ? 1 : 1.01) + (hour < 20 ? 0 : an_hour * static_cast<double>(hour - 20));
    };
  };
  CHECK_FALSE(Hours(24, make(1 * kGiB, 7 * kMiB)).verdict().fast);
  CHECK(Hours(24, make(1 * kGiB, 9 * kMiB)).verdict().fast);
  CHECK_FALSE(Hours(24, make(60 * kGiB, 0.0019 * 60 * kGiB)).verdict().fast);
  CHECK(Hours(24, make(60 * kGiB, 0.0021 * 60 * kGiB)).verdict().fast);
}

TEST_CASE("fast drift: above the day before by half a percent, the first two hours left out") {
  const auto make = [](double above) {
    return [=](std::int64_t hour) {
      if (hour < 2) return 9 * kGiB;  // loading
      return hour < 20 ? 4 * kGiB : 4 * kGiB + above + 10 * static_cast<double>(hour - 20) * kMiB;
    };
  };
  CHECK_FALSE(Hours(24, make(20 * kMiB)).verdict().fast);
  CHECK(Hours(24, make(21 * kMiB)).verdict().fast);
}

TEST_CASE("drift: floor and ceiling are of the last 24 full hours, seen or not") {
  const Hours hours(
      50,
      [](std::int64_t hour) -> std::optional<double> {
        if (hour == 26) return std::nullopt;
        return 100.0 + static_cast<double>(hour);
      },
      1000);
  const auto verdict = hours.verdict();
  CHECK(verdict.floor == 127.0);
  CHECK(verdict.ceiling == 1149.0);
  CHECK(verdict.hours_seen == 49);
  // Nothing was seen for a day since.
  const auto later = decide_verdict(hours.lows, hours.highs, 80);
  CHECK_FALSE(later.floor);
  CHECK_FALSE(later.ceiling);
}

TEST_CASE("drift: without days to compare nothing is founded; slope needs twelve differences") {
  CHECK_FALSE(Hours(41, rising(0)).verdict().is_founded);
  CHECK_FALSE(Hours(41, rising(1)).verdict().slope);
  CHECK(Hours(42, rising(0)).verdict().is_founded);
  CHECK(Hours(42, rising(1)).verdict().slope == Approx(kMiB / 3600));
}

TEST_CASE("drift: kind is said of ten days of drift: linear, or slowing") {
  CHECK(Hours(245, rising(20)).verdict().kind == drift::Kind::unknown);
  CHECK(Hours(246, rising(20)).verdict().kind == drift::Kind::linear);
  CHECK(Hours(500, rising(20)).verdict().kind == drift::Kind::linear);
  const auto slowing = [](std::int64_t hour) {
    return 4 * kGiB + 200 * kMiB * std::sqrt(static_cast<double>(hour));
  };
  const auto verdict = Hours(260, slowing).verdict();
  REQUIRE(verdict.slow);
  CHECK(verdict.kind == drift::Kind::slowing);
  CHECK(Hours(300, rising(0)).verdict().kind == drift::Kind::unknown);
}

TEST_CASE("drift: the growth of a life that has ended, by days or by thirds") {
  CHECK(drift::decide_life_growth(Hours(100, rising(5)).lows, 100).value() == Approx(5 * kMiB / 3600));
  CHECK(drift::decide_life_growth(Hours(24, rising(5)).lows, 24).value() == Approx(5 * kMiB / 3600));
  CHECK(drift::decide_life_growth(Hours(24, rising(-5)).lows, 24).value() == Approx(-5 * kMiB / 3600));
  CHECK(drift::decide_life_growth(Hours(7, rising(500)).lows, 7).value() == Approx(500 * kMiB / 3600));
  CHECK_FALSE(drift::decide_life_growth(Hours(4, rising(5)).lows, 4));
}
