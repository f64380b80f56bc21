// SPDX-License-Identifier: Apache-2.0
#include "drift/unit_history.hpp"

#include <cmath>
#include <utility>

namespace allocd::drift {

namespace {

// The wall clock gains and loses against the other by less; what is more was set by somebody.
constexpr double kClockStep = 2;
// Fewer say nothing: one night's load is not another's.
constexpr std::size_t kLeastLives = 3;

bool has_a_full_hour(const LifeState& life) {
  return lowest(life.memory.lows, life.memory.lows.first(), life.memory.lows.end()).has_value();
}

}  // namespace

bool UnitHistory::feed(const LifeKey& key, double now, const Sample& sample) {
  const bool is_set_back = sample.uptime < life().memory.last_uptime - kHour;
  if (!facts_.key || *facts_.key != key || is_set_back) {
    end_life();
    facts_.key = key;
    facts_.started_at = now - sample.uptime;
  }
  if (!detector_.feed(sample)) return false;
  if (std::abs(now - sample.uptime - facts_.started_at) > kClockStep) facts_.started_at = now - sample.uptime;
  facts_.last_at = now;
  return true;
}

void UnitHistory::end_life() {
  const LifeState& ended = life();
  if (facts_.key && has_a_full_hour(ended)) {
    const auto hours = ended.memory.hours();
    facts_.lives.push_back({.started_at = facts_.started_at,
                            .ended_at = facts_.last_at,
                            .warm_floor = ended.warm_floor,
                            .last_floor = lowest(ended.memory.lows, hours - 24, hours),
                            .growth_per_second = decide_life_growth(ended.memory.lows, hours)});
    if (facts_.lives.size() > kMostLives) facts_.lives.erase(facts_.lives.begin());
  }
  detector_ = Detector();
}

Report UnitHistory::report() const {
  Report report = detector_.report();
  if (!report.known) return {};
  report.life_started_at = facts_.started_at;
  add_lives(report);
  return report;
}

Report UnitHistory::report_of_ended() const {
  Report report;
  add_lives(report);
  return report;
}

void UnitHistory::add_lives(Report& report) const {
  report.lives = facts_.lives;
  std::vector<double> rates;
  for (const Life& one : facts_.lives) {
    if (one.growth_per_second) rates.push_back(*one.growth_per_second);
  }
  if (rates.size() >= kLeastLives) report.lives_growth_per_second = median(rates);
}

}  // namespace allocd::drift
