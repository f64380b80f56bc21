// SPDX-License-Identifier: Apache-2.0
#include "base/budget.hpp"

#include <algorithm>
#include <cmath>

namespace allocd::base {

namespace {

using Duration = CostBudget::Duration;

constexpr Duration kShortestInterval = std::chrono::seconds(1);
constexpr Duration kLongestInterval = std::chrono::hours(24 * 365);
constexpr double kSmallestShare = 1e-6;

// Never beyond what a time point bears.
Duration to_duration(double nanoseconds) {
  const auto limit = static_cast<double>(kLongestInterval.count());
  return Duration(static_cast<Duration::rep>(std::clamp(nanoseconds, -limit, limit)));
}

BudgetLimits sane(BudgetLimits limits) {
  limits.share = std::isfinite(limits.share) ? std::clamp(limits.share, kSmallestShare, 1.0) : kSmallestShare;
  limits.interval = std::clamp(limits.interval, kShortestInterval, kLongestInterval);
  limits.longest_interval = std::clamp(limits.longest_interval, limits.interval, kLongestInterval);
  limits.savings = std::max(limits.savings, Duration(0));
  return limits;
}

}  // namespace

CostBudget::CostBudget(const BudgetLimits& limits, Time now) : limits_(sane(limits)), saved_until_(now) {
}

void CostBudget::set_limits(const BudgetLimits& limits, Time now) {
  save(now);
  limits_ = sane(limits);
  saved_ = std::min(saved_, static_cast<double>(limits_.savings.count()));
  // What is due later than it would be now is due then.
  for (auto& [key, unit] : units_) {
    unit.due = std::min(unit.due, now + (unit.slow ? limits_.longest_interval : limits_.interval));
  }
}

void CostBudget::retain(const std::set<std::string>& keys, Time now) {
  std::erase_if(units_, [&](const auto& entry) { return !keys.contains(entry.first); });
  Unit fresh;
  fresh.due = now;
  for (const auto& key : keys) units_.try_emplace(key, fresh);
}

void CostBudget::expect(const std::string& key, Duration cost) {
  const auto found = units_.find(key);
  if (found != units_.end() && !found->second.last_cost) found->second.expected = std::max(cost, Duration(0));
}

double CostBudget::nanoseconds_saved(Time now) const {
  if (now <= saved_until_) return saved_;
  const double gained = static_cast<double>((now - saved_until_).count()) * limits_.share;
  return std::min(static_cast<double>(limits_.savings.count()), saved_ + gained);
}

CostBudget::Duration CostBudget::saved(Time now) const {
  return Duration(static_cast<Duration::rep>(nanoseconds_saved(now)));
}

void CostBudget::save(Time now) {
  saved_ = nanoseconds_saved(now);
  saved_until_ = std::max(saved_until_, now);
}

// More than can be saved is never asked for: the rest becomes debt.
double CostBudget::price(const Unit& unit) const {
  return static_cast<double>(std::min(unit.expected, limits_.savings).count());
}

CostBudget::Time CostBudget::affordable_at(const Unit& unit, Time now) const {
  const double missing = price(unit) - nanoseconds_saved(now);
  if (missing <= 0) return now;
  // Rounded up: who comes when told must not come too early.
  constexpr Duration kRounding = std::chrono::microseconds(1);
  return std::max(now, saved_until_) + to_duration(missing / limits_.share) + kRounding;
}

CostBudget::Turn CostBudget::next_turn(Time now) const {
  Turn best;
  const Unit* best_unit = nullptr;
  const Unit* starved = nullptr;
  for (const auto& [key, unit] : units_) {
    const bool waits_alone = unit.due <= now && now - unit.due >= limits_.longest_interval;
    if (waits_alone && (starved == nullptr || unit.due < starved->due)) {
      starved = &unit;
      best = {&key, affordable_at(unit, now)};
    }
    if (starved != nullptr) continue;
    const Time start = std::max(unit.due, affordable_at(unit, now));
    if (best_unit == nullptr || start < best.start || (start == best.start && unit.due < best_unit->due)) {
      best = {&key, start};
      best_unit = &unit;
    }
  }
  return best;
}

std::optional<std::string> CostBudget::start(Time now) {
  if (running_) return std::nullopt;
  save(now);
  const Turn turn = next_turn(now);
  if (turn.key == nullptr || turn.start > now) return std::nullopt;
  running_ = Running{*turn.key, now};
  return *turn.key;
}

void CostBudget::finish(Duration cost, Time now) {
  if (!running_) return;
  cost = std::clamp(cost, Duration(0), kLongestInterval);
  save(now);
  saved_ -= static_cast<double>(cost.count());
  spent_ += cost;
  ++reads_;
  const auto found = units_.find(running_->key);
  if (found != units_.end()) settle(found->second, cost, now);
  running_.reset();
}

void CostBudget::settle(Unit& unit, Duration cost, Time now) {
  unit.last_cost = cost;
  unit.last_end = now;
  unit.spent += cost;
  ++unit.reads;
  unit.expected = std::max(cost, unit.expected / 2);
  const auto share = limits_.share / static_cast<double>(units_.size());
  const Duration fair = to_duration(static_cast<double>(unit.expected.count()) / share);
  unit.slow = fair > limits_.interval;
  unit.due = running_->since + std::clamp(fair, limits_.interval, limits_.longest_interval);
}

std::optional<CostBudget::Time> CostBudget::next_start(Time now) const {
  if (running_ || units_.empty()) return std::nullopt;
  return next_turn(now).start;
}

}  // namespace allocd::base
