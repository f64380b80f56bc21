// SPDX-License-Identifier: Apache-2.0
// When the next costly read may start, so that all of them together take no more than a share of one core.
//
// Three rules, and nothing else:
//   - one at a time: while one is running none starts, however long it takes;
//   - the whole: time saved up at `share` of one core (at most `savings` of it, none at the start) pays for
//   each
//     read. None starts before its expected cost is there. So at any moment the sum of costs is at most
//     share x time + the excess of one read over what was expected of it;
//   - each its turn: a unit is due again after `interval`, or, if its cost demands it, after cost x units /
//   share,
//     its fair part of the budget, but no later than `longest_interval`. Whoever has been due longest goes
//     first. One that must still save up is passed by those that can pay, until it has been due for
//     `longest_interval`: then it waits alone. Nobody starves, and nobody makes the others wait for long.
// A unit that its cost keeps from its interval is `slow`, to be shown. Cost expected is the last one, or half
// of what was expected before when that is more: one slow walk is not held against a unit for ever. A first
// read costs what `expect` said, or nothing is known and debt is paid off before the next.
//
// A key is a unit, or a unit and a kind of read. Pure: time is passed in and must not go backwards (if it
// does, nothing is saved). Not safe from several threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace allocd::base {

struct BudgetLimits {
  double share = 0.001;                                         // of one core
  std::chrono::nanoseconds interval = std::chrono::minutes(5);  // how often each unit is wanted; at least 1 s
  std::chrono::nanoseconds longest_interval = std::chrono::hours(24);
  std::chrono::nanoseconds savings = std::chrono::seconds(30);
};

class CostBudget {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::nanoseconds;

  struct Unit {
    Time due{};                         // not before
    Duration expected{};                // cost of the next read; 0: not known
    std::optional<Duration> last_cost;  // nothing before the first read
    std::optional<Time> last_end;       // its figures are as old as this
    std::uint64_t reads = 0;
    Duration spent{};  // since it was first seen
    bool slow = false;
  };
  struct Running {
    std::string key;
    Time since{};
  };

  CostBudget(const BudgetLimits& limits, Time now);
  void set_limits(const BudgetLimits& limits, Time now);

  // The units there are now. New ones are due at once, those not named are forgotten (what one cost is not).
  void retain(const std::set<std::string>& keys, Time now);
  // What a first read is likely to cost, by size; ignored once one was measured.
  void expect(const std::string& key, Duration cost);

  // Whose read is to start now; nothing while one is running, none is due, or there is not enough saved. The
  // caller reads, measures (CPU time or elapsed, whichever is more) and calls finish, for a failed read too.
  [[nodiscard]] std::optional<std::string> start(Time now);
  void finish(Duration cost, Time now);

  // When to ask again: start gives nothing before, if nothing changes. It may give nothing then either, when
  // a unit has come to wait alone meanwhile; the answer is then later. Nothing while one runs or there are no
  // units.
  [[nodiscard]] std::optional<Time> next_start(Time now) const;

  [[nodiscard]] const std::optional<Running>& running() const { return running_; }
  [[nodiscard]] const std::map<std::string, Unit>& units() const { return units_; }
  [[nodiscard]] Duration spent() const { return spent_; }  // by all, since the start
  [[nodiscard]] Duration saved(Time now) const;            // negative: in debt
  [[nodiscard]] std::uint64_t reads() const { return reads_; }

 private:
  struct Turn {
    const std::string* key = nullptr;
    Time start{};
  };
  void save(Time now);
  [[nodiscard]] double nanoseconds_saved(Time now) const;
  [[nodiscard]] double price(const Unit& unit) const;
  [[nodiscard]] Time affordable_at(const Unit& unit, Time now) const;
  [[nodiscard]] Turn next_turn(Time now) const;
  void settle(Unit& unit, Duration cost, Time now);

  BudgetLimits limits_;
  std::map<std::string, Unit> units_;
  std::optional<Running> running_;
  Time saved_until_;
  double saved_ = 0;  // nanoseconds; a share of a short time is less than one
  Duration spent_{};
  std::uint64_t reads_ = 0;
};

}  // namespace allocd::base
