// SPDX-License-Identifier: Apache-2.0
// A random report of drift. Members are filled by hand, not by the tables of the code under test.
#pragma once

#include <optional>

#include "drift/report.hpp"
#include "support/random_values.hpp"

namespace allocd::test {

inline drift::Report random_drift(RandomValues& values) {
  const auto maybe = [&] { return values.flag() ? std::optional(values.real()) : std::nullopt; };
  drift::Report report;
  report.known = values.flag();
  report.state = values.one_of(drift::kStateNames);
  report.slow = values.flag();
  report.fast = values.flag();
  report.exhaustion = values.flag();
  report.kind = values.one_of(drift::kKindNames);
  report.life_started_at = values.real();
  report.window = values.real();
  report.needed = values.real();
  report.limit_kind = values.one_of(drift::kLimitKindNames);
  using drift::Report;
  for (const auto member : {&Report::memory, &Report::floor, &Report::ceiling, &Report::warm_floor,
                            &Report::slope, &Report::rising, &Report::limit, &Report::time_to_limit,
                            &Report::at_peak, &Report::falls, &Report::lives_growth_per_second}) {
    report.*member = maybe();
  }
  for (auto n = values.below(61); n > 0; --n) report.lows.push_back(maybe());
  for (auto n = values.below(9); n > 0; --n) {
    report.lives.push_back({values.real(), values.real(), maybe(), maybe(), maybe()});
  }
  for (auto n = values.below(4); n > 0; --n) {
    report.roles.push_back({values.one_of(engine::kRoleNames), maybe(), maybe(), maybe()});
  }
  return report;
}

}  // namespace allocd::test
