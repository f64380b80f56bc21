// SPDX-License-Identifier: Apache-2.0
#include "base/budget.hpp"

#include <chrono>
#include <limits>
#include <optional>
#include <string>

#include "support/catch.hpp"

using namespace allocd;
using base::BudgetLimits;
using base::CostBudget;
using namespace std::chrono_literals;

namespace {

constexpr CostBudget::Time kBegin{std::chrono::hours(1000)};
constexpr BudgetLimits kLimits{
    .share = 0.001, .interval = 60s, .longest_interval = std::chrono::hours(24), .savings = 30s};

// Starts what may start at `now`, which costs `cost`.
std::optional<std::string> read_one(CostBudget& budget, CostBudget::Time now, CostBudget::Duration cost) {
  auto key = budget.start(now);
  if (key) budget.finish(cost, now + cost);
  return key;
}

}  // namespace

TEST_CASE("budget: nothing to read, nothing to wait for") {
  CostBudget budget(kLimits, kBegin);
  CHECK_FALSE(budget.start(kBegin));
  CHECK_FALSE(budget.next_start(kBegin));
  budget.finish(1s, kBegin);  // nothing was started
  CHECK(budget.reads() == 0);
  CHECK(budget.spent() == 0s);
}

TEST_CASE("budget: a first read may start at once, the next when it is paid for") {
  CostBudget budget(kLimits, kBegin);
  budget.retain({"a", "b"}, kBegin);
  CHECK(budget.next_start(kBegin) == kBegin);
  CHECK(read_one(budget, kBegin, 10ms) == "a");
  CHECK_FALSE(budget.start(kBegin + 1s));
  const auto next = budget.next_start(kBegin + 1s);
  REQUIRE(next);
  CHECK(*next >= kBegin + 10s);
  CHECK(*next <= kBegin + 11s);
  CHECK_FALSE(budget.start(*next - 1ms));
  CHECK(budget.start(*next) == "b");
}

TEST_CASE("budget: never two at once, however long one takes") {
  CostBudget budget(kLimits, kBegin);
  budget.retain({"a", "b"}, kBegin);
  REQUIRE(budget.start(kBegin) == "a");
  CHECK(budget.running()->key == "a");
  CHECK_FALSE(budget.start(kBegin + std::chrono::hours(100)));
  CHECK_FALSE(budget.next_start(kBegin + 1s));
  budget.finish(1ms, kBegin + std::chrono::hours(100));
  CHECK_FALSE(budget.running());
  CHECK(budget.start(kBegin + std::chrono::hours(100)) == "b");
}

TEST_CASE("budget: a cheap unit comes at its interval, a costly one in proportion and is slow") {
  CostBudget budget(kLimits, kBegin);
  budget.retain({"a"}, kBegin);
  REQUIRE(read_one(budget, kBegin, 10ms));
  CHECK(budget.units().at("a").due == kBegin + 60s);
  CHECK_FALSE(budget.units().at("a").slow);
  CHECK_FALSE(budget.start(kBegin + 59s));
  REQUIRE(read_one(budget, kBegin + 60s, 600ms));
  CHECK(budget.units().at("a").due == kBegin + 660s);
  CHECK(budget.units().at("a").slow);
  CHECK(budget.units().at("a").last_cost == CostBudget::Duration(600ms));
  CHECK(budget.units().at("a").last_end == kBegin + 60s + 600ms);
  CHECK(budget.units().at("a").reads == 2);
}

TEST_CASE("budget: the proportion is of a unit's fair part, and has a cap") {
  CostBudget budget(kLimits, kBegin);
  budget.retain({"a", "b", "c", "d"}, kBegin);
  REQUIRE(read_one(budget, kBegin, 1s) == "a");
  CHECK(budget.units().at("a").due == kBegin + 4000s);
  budget.retain({"a"}, kBegin);
  const auto later = kBegin + std::chrono::hours(2);
  REQUIRE(read_one(budget, later, 1000s) == "a");
  CHECK(budget.units().at("a").due == later + 24h);
}

TEST_CASE("budget: one slow read is forgotten by and by") {
  CostBudget budget(kLimits, kBegin);
  budget.retain({"a"}, kBegin);
  REQUIRE(read_one(budget, kBegin, 1s));
  auto now = kBegin;
  for (int i = 0; i < 6; ++i) {
    now = *budget.next_start(now);
    REQUIRE(read_one(budget, now, 1ms));
  }
  CHECK_FALSE(budget.units().at("a").slow);
  CHECK(budget.units().at("a").due == now + 60s);
}

TEST_CASE("budget: what is expected to cost much is saved for, and passed by what is cheap") {
  CostBudget budget(kLimits, kBegin);
  budget.retain({"a", "b"}, kBegin);
  budget.expect("a", 5s);
  budget.expect("unknown", 5s);
  CHECK(read_one(budget, kBegin, 1ms) == "b");
  const auto next = budget.next_start(kBegin + 1s);
  REQUIRE(next);
  CHECK(*next < kBegin + 100s);
  CHECK(read_one(budget, kBegin + 61s, 1ms) == "b");
  CHECK(read_one(budget, kBegin + 6000s, 5s) == "a");
  budget.expect("a", 1h);  // it was measured by now
  CHECK(budget.units().at("a").expected == CostBudget::Duration(5s));
}

TEST_CASE("budget: one that saves up for ever is let through before all others in the end") {
  BudgetLimits limits = kLimits;
  limits.longest_interval = 1h;
  CostBudget budget(limits, kBegin);
  budget.retain({"big", "small"}, kBegin);
  budget.expect("big", 20s);
  auto now = kBegin;
  bool big_was_read = false;
  // "small" costs all that can be saved in its interval: it would never leave enough for "big".
  for (int i = 0; i < 2000 && !big_was_read; ++i) {
    now = *budget.next_start(now);
    const auto key = budget.start(now);
    big_was_read = key == "big";
    budget.finish(3600ms, now + 1s);
  }
  CHECK(big_was_read);
  CHECK(now <= kBegin + 10h);
}

TEST_CASE("budget: units that go are forgotten, their cost is not") {
  CostBudget budget(kLimits, kBegin);
  budget.retain({"a"}, kBegin);
  REQUIRE(budget.start(kBegin) == "a");
  budget.retain({"b"}, kBegin);
  budget.finish(2s, kBegin + 2s);
  CHECK(budget.spent() == 2s);
  CHECK_FALSE(budget.units().contains("a"));
  CHECK_FALSE(budget.start(kBegin + 1000s));
  CHECK(budget.start(kBegin + 2001s) == "b");
}

TEST_CASE("budget: what is saved has a limit") {
  BudgetLimits limits = kLimits;
  limits.savings = 1s;
  CostBudget budget(limits, kBegin);
  CHECK(budget.saved(kBegin) == 0s);
  CHECK(budget.saved(kBegin + 100s) == 100ms);
  CHECK(budget.saved(kBegin + std::chrono::hours(1000)) == 1s);
  CHECK(budget.saved(kBegin - 1s) == 0s);
}

TEST_CASE("budget: new limits hold at once") {
  CostBudget budget(kLimits, kBegin);
  budget.retain({"a"}, kBegin);
  REQUIRE(read_one(budget, kBegin, 1us));
  BudgetLimits limits = kLimits;
  limits.interval = 5s;
  limits.savings = 0s;
  budget.set_limits(limits, kBegin + 1s);
  CHECK(budget.units().at("a").due == kBegin + 6s);
  CHECK(budget.saved(kBegin + 100s) == 0s);
}

TEST_CASE("budget: limits out of range are made sane") {
  const double share = GENERATE(-1.0, 0.0, 1e300, std::numeric_limits<double>::quiet_NaN());
  CostBudget budget({.share = share, .interval = -1s, .longest_interval = -5s, .savings = -1s}, kBegin);
  budget.retain({"a"}, kBegin);
  REQUIRE(read_one(budget, kBegin, std::chrono::hours(1)));
  const auto next = budget.next_start(kBegin + 1h);
  REQUIRE(next);
  CHECK(*next > kBegin);
  budget.finish(CostBudget::Duration::max(), kBegin);
  CHECK(budget.reads() == 1);
}
