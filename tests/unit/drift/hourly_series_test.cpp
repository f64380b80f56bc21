// SPDX-License-Identifier: Apache-2.0
#include "drift/hourly_series.hpp"

#include <limits>

#include "support/catch.hpp"

using namespace allocd;
using drift::HourlySeries;
using drift::kHour;

namespace {

// A sample a minute over minutes `first` to `end` - 1.
void feed(HourlySeries& series, int first, int end, double value) {
  for (int minute = first; minute < end; ++minute) (void)series.feed(minute * 60.0, value);
}

}  // namespace

TEST_CASE("hourly series: a spike of two samples is no high, and a dip no low") {
  HourlySeries series(48, 48);
  feed(series, 0, 20, 100);
  feed(series, 20, 22, 900);
  feed(series, 22, 40, 100);
  feed(series, 40, 42, 1);
  feed(series, 42, 61, 100);
  CHECK(series.hours() == 1);
  CHECK(series.lows.at(0) == 100.0);
  CHECK(series.highs.at(0) == 100.0);
}

TEST_CASE("hourly series: an hour counts when a third of it was seen, else it is absent") {
  HourlySeries series(48, 48);
  feed(series, 0, 60, 100);
  // Four samples for the first median after the gap: minutes 120 to 123.
  feed(series, 120, 134, 50);  // parts 0, 1 and 2
  feed(series, 180 + 30, 180 + 50, 70);
  feed(series, 240, 242, 10);
  CHECK(series.hours() == 4);
  CHECK(series.lows.at(0) == 100.0);
  CHECK_FALSE(series.lows.at(1));
  CHECK_FALSE(series.lows.at(2));
  CHECK(series.lows.at(3) == 70.0);
}

TEST_CASE("hourly series: what lies on two sides of a long gap is not smoothed together") {
  HourlySeries series(48, 48);
  feed(series, 0, 4, 100);
  CHECK_FALSE(series.feed(31 * 60.0 + 240, 200));  // the fifth, but 34 minutes later
  HourlySeries other(48, 48);
  feed(other, 0, 4, 100);
  CHECK(other.feed(20 * 60.0, 200) == 100.0);
}

TEST_CASE("hourly series: samples that come twice, late or as no number change nothing") {
  HourlySeries series(48, 48);
  feed(series, 0, 30, 100);
  const auto before = series;
  CHECK_FALSE(series.feed(29 * 60.0, 1));
  CHECK_FALSE(series.feed(60.0, 1));
  CHECK_FALSE(series.feed(-5, 1));
  CHECK_FALSE(series.feed(std::numeric_limits<double>::quiet_NaN(), 1));
  CHECK(series == before);
}

TEST_CASE("hourly series: at the slowest pace, a sample each ten minutes, hours still count") {
  HourlySeries series(48, 48);
  for (int i = 0; i < 6 * 10; ++i) (void)series.feed(i * 600.0 + 5, 100 + i);
  CHECK(series.hours() == 9);
  for (int hour = 1; hour < 9; ++hour) CHECK(series.lows.at(hour).has_value());
}
