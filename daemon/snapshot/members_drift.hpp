// SPDX-License-Identifier: Apache-2.0
// The tables of members.hpp for what days of samples say of a unit.
#pragma once

#include "drift/report.hpp"
#include "snapshot/table.hpp"

namespace allocd::snapshot::detail {

template <typename T>
concept DriftTabled = OneOf<T, drift::Life, drift::RoleReport, drift::Report>;

void each_member(Either<drift::Life> auto& life, auto&& visit) {
  visit("started_at", life.started_at);
  visit("ended_at", life.ended_at);
  visit("warm_floor", life.warm_floor);
  visit("last_floor", life.last_floor);
  visit("growth_per_second", life.growth_per_second);
}

void each_member(Either<drift::RoleReport> auto& role, auto&& visit) {
  visit("role", role.role);
  visit("memory", role.memory);
  visit("floor", role.floor);
  visit("slope", role.slope);
}

void each_member(Either<drift::Report> auto& report, auto&& visit) {
  visit("known", report.known);
  visit("state", report.state);
  visit("slow", report.slow);
  visit("fast", report.fast);
  visit("exhaustion", report.exhaustion);
  visit("kind", report.kind);
  visit("life_started_at", report.life_started_at);
  visit("window", report.window);
  visit("needed", report.needed);
  visit("memory", report.memory);
  visit("floor", report.floor);
  visit("ceiling", report.ceiling);
  visit("warm_floor", report.warm_floor);
  visit("slope", report.slope);
  visit("rising", report.rising);
  visit("limit_kind", report.limit_kind);
  visit("limit", report.limit);
  visit("time_to_limit", report.time_to_limit);
  visit("at_peak", report.at_peak);
  visit("falls", report.falls);
  visit("lows", report.lows);
  visit("lives", report.lives);
  visit("lives_growth_per_second", report.lives_growth_per_second);
  visit("roles", report.roles);
}

template <>
inline constexpr auto kNamesOf<drift::State> = drift::kStateNames;
template <>
inline constexpr auto kNamesOf<drift::Kind> = drift::kKindNames;
template <>
inline constexpr auto kNamesOf<drift::LimitKind> = drift::kLimitKindNames;

}  // namespace allocd::snapshot::detail
