// SPDX-License-Identifier: Apache-2.0
// What holds for every sequence of costly reads, on a clock of the test's own.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>

#include "base/budget.hpp"
#include "support/catch.hpp"
#include "support/rounds.hpp"

namespace {

using namespace allocd;
using base::BudgetLimits;
using base::CostBudget;
using namespace std::chrono_literals;
using Duration = CostBudget::Duration;
using Time = CostBudget::Time;

constexpr Time kBegin{std::chrono::hours(1)};

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}
  std::size_t below(std::size_t limit) { return random_() % limit; }
  // From microseconds to ten seconds, small ones as likely as large ones.
  Duration cost() {
    const double exponent = std::uniform_real_distribution<double>(3, 10)(random_);
    return Duration(static_cast<Duration::rep>(std::pow(10.0, exponent)));
  }
  BudgetLimits limits() {
    BudgetLimits limits;
    limits.share = below(2) == 0 ? 0.001 : 0.01;
    limits.interval = std::chrono::seconds(1 + below(600));
    limits.longest_interval = limits.interval * (1 + below(100));
    limits.savings = std::chrono::seconds(below(40));
    return limits;
  }

 private:
  std::mt19937 random_;
};

std::set<std::string> keys_of(std::size_t count) {
  std::set<std::string> keys;
  for (std::size_t i = 0; i < count; ++i) keys.insert("unit-" + std::to_string(i));
  return keys;
}

// Starts a read, at `now` or when it is told to come again.
Time wait_for_turn(CostBudget& budget, Time now) {
  constexpr int kTries = 4;
  for (int i = 0; i < kTries; ++i) {
    if (budget.start(now)) return now;
    const auto next = budget.next_start(now);
    REQUIRE(next);
    REQUIRE(*next > now);
    now = *next;
  }
  FAIL("told to come again and again");
  return now;
}

}  // namespace

TEST_CASE("property: the costs stay within the share, whatever the reads cost and whenever one asks") {
  for (int round = 0; round < test::rounds(200); ++round) {
    CAPTURE(round);
    Maker maker(static_cast<unsigned>(round));
    const auto limits = maker.limits();
    CostBudget budget(limits, kBegin);
    budget.retain(keys_of(1 + maker.below(30)), kBegin);
    Time now = kBegin;
    Duration spent{};
    for (int step = 0; step < 300; ++step) {
      const auto next = budget.next_start(now);
      REQUIRE(next);
      // At the time it says, before, or late.
      now = std::max(now, *next) + std::chrono::milliseconds(maker.below(3) == 0 ? maker.below(100000) : 0);
      if (maker.below(20) == 0) budget.retain(keys_of(1 + maker.below(30)), now);
      const auto key = budget.start(now);
      if (!key) continue;
      REQUIRE(budget.units().at(*key).due <= now);
      const double allowed = limits.share * static_cast<double>((now - kBegin).count());
      // Whatever is spent when a read starts has been saved before.
      REQUIRE(static_cast<double>(spent.count()) <= allowed + 1000);
      CHECK_FALSE(budget.start(now));
      const auto cost = maker.cost();
      now += cost;
      CHECK_FALSE(budget.start(now));
      budget.finish(cost, now);
      spent += cost;
    }
    CHECK(budget.spent() == spent);
  }
}

TEST_CASE("property: whoever comes when told is served") {
  for (int round = 0; round < test::rounds(200); ++round) {
    CAPTURE(round);
    Maker maker(static_cast<unsigned>(round));
    CostBudget budget(maker.limits(), kBegin);
    budget.retain(keys_of(1 + maker.below(20)), kBegin);
    Time now = kBegin;
    for (int step = 0; step < 200; ++step) {
      const auto next = budget.next_start(now);
      REQUIRE(next);
      if (*next > now && maker.below(4) == 0) CHECK_FALSE(budget.start(*next - 2us));
      // Or has to wait for one that has waited for longest, and is told for how long.
      now = wait_for_turn(budget, std::max(now, *next));
      const auto cost = maker.cost();
      now += cost;
      budget.finish(cost, now);
    }
  }
}

TEST_CASE("property: no unit starves, and equal ones are read equally often") {
  for (int round = 0; round < test::rounds(100); ++round) {
    CAPTURE(round);
    Maker maker(static_cast<unsigned>(round));
    auto limits = maker.limits();
    limits.longest_interval = limits.interval * 10;
    const std::size_t count = 2 + maker.below(10);
    CostBudget budget(limits, kBegin);
    budget.retain(keys_of(count), kBegin);
    std::map<std::string, Duration> costs;
    for (const auto& key : keys_of(count)) costs[key] = maker.cost();
    // Two that cost the same.
    costs["unit-1"] = costs["unit-0"];
    std::map<std::string, int> reads;
    Time now = kBegin;
    for (std::size_t step = 0; step < 400 * count; ++step) {
      now = wait_for_turn(budget, std::max(now, *budget.next_start(now)));
      const std::string key = budget.running()->key;
      now += costs[key];
      budget.finish(costs[key], now);
      ++reads[key];
    }
    for (const auto& key : keys_of(count)) {
      CAPTURE(key);
      // A full turn: the longest interval, and everybody's cost saved up for once, twice over.
      Duration all{};
      for (const auto& [other, cost] : costs) all += cost;
      const auto turn = limits.longest_interval +
                        Duration(static_cast<Duration::rep>(static_cast<double>(all.count()) / limits.share));
      CHECK(budget.units().at(key).last_end >= now - 2 * turn);
      CHECK(reads[key] > 0);
    }
    CHECK(std::abs(reads["unit-0"] - reads["unit-1"]) <= 2);
  }
}
