// SPDX-License-Identifier: Apache-2.0
#include "drift/forecast.hpp"

#include "support/catch.hpp"

using namespace allocd;
using drift::RecentParts;

namespace {

void feed(RecentParts& recent, double from, double to, double rate) {
  for (double uptime = from; uptime < to; uptime += 60) (void)recent.feed(uptime, 1000 + rate * uptime);
}

}  // namespace

TEST_CASE("forecast: a line through the last two hours, none before a third of them was seen") {
  RecentParts recent;
  feed(recent, 0, 8 * 300, 2);
  CHECK_FALSE(recent.draw_line());  // the eighth part is not over
  feed(recent, 8 * 300, 8 * 300 + 60, 2);
  const auto line = recent.draw_line();
  REQUIRE(line);
  CHECK(line->slope == Approx(2));
  CHECK(line->at(20'000) == Approx(1000 + 2 * 20'000).epsilon(0.01));
}

TEST_CASE("forecast: what is older than two hours has no say") {
  RecentParts recent;
  feed(recent, 0, 7200, 50);
  feed(recent, 7200, 4 * 3600 + 60, 0);
  CHECK(recent.draw_line()->slope == Approx(0).margin(1e-9));
}

TEST_CASE("forecast: a burst of samples weighs no more than its time") {
  RecentParts steady;
  feed(steady, 0, 7500, 1);
  RecentParts burst;
  for (double uptime = 0; uptime < 7500; uptime += 60) {
    const int times = uptime >= 3600 && uptime < 3900 ? 100 : 1;
    for (int i = 0; i < times; ++i) (void)burst.feed(uptime, 1000 + uptime);
  }
  CHECK(burst.draw_line()->slope == Approx(steady.draw_line()->slope));
}

TEST_CASE("forecast: after a gap only what was seen counts") {
  RecentParts recent;
  feed(recent, 0, 7200, 1);
  feed(recent, 7200 + 3 * 3600, 7200 + 3 * 3600 + 120, 1);
  CHECK_FALSE(recent.draw_line());
}
