// SPDX-License-Identifier: Apache-2.0
// Reports of drift as they look after days, one for each state; and a machine that has a unit in each.
//
//   chat.service        drift: 20 MB an hour for eleven days, seen by both rules; glibc
//   batch.service       exhaustion: hours from the limit of its control group, at its third day
//   embed.service       watch: its last day rose, the day before did not
//   rerank.service      normal, and old enough for every rule
//   nightly.service     warming: restarted each night, and each life grew
//   late.service        normal at two days: too young for the slow rule
//   down.service        no process; two lives are remembered
#pragma once

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/model.hpp"
#include "support/sample_memory.hpp"

namespace allocd::test {

inline constexpr double kHour = 3600;
inline constexpr double kDay = 24 * kHour;
inline constexpr double kNeeded = 78 * kHour;
inline constexpr double kMB = 1e6;

inline double gib(double number) {
  return std::floor(number * static_cast<double>(kGiB));
}

// A life that stands at `age`, holds `floor` to `ceiling`, and is judged normal.
inline drift::Report sample_report(double age, double floor, double ceiling) {
  drift::Report report;
  report.known = true;
  report.state = drift::State::normal;
  report.life_started_at = kSampleTime - age;
  report.window = age;
  report.needed = kNeeded;
  report.memory = std::floor((floor + 3 * ceiling) / 4);
  report.floor = floor;
  report.ceiling = ceiling;
  report.falls = (ceiling - floor) / ceiling;
  report.at_peak = 0.04;
  return report;
}

// Lows of each six hours from `from` to `to`, with the valley and the crest of each day.
inline std::vector<std::optional<double>> sample_lows(double from, double to, std::size_t count) {
  constexpr double kOfDay[] = {0.0, 0.02, 0.06, 0.03};
  std::vector<std::optional<double>> lows;
  for (std::size_t i = 0; i < count; ++i) {
    const double trend = from + ((to - from) * static_cast<double>(i) / static_cast<double>(count - 1));
    lows.emplace_back(std::floor(trend + (from * kOfDay[i % 4])));
  }
  return lows;
}

inline drift::Report sample_drifting() {
  auto report = sample_report(11 * kDay, gib(12.1), gib(13.4));
  report.state = drift::State::drift;
  report.slow = report.fast = true;
  report.kind = drift::Kind::linear;
  report.warm_floor = gib(7.2);
  report.slope = 20 * kMB / kHour;
  report.rising = 1;
  report.limit_kind = drift::LimitKind::cgroup;
  report.limit = gib(16);
  report.time_to_limit = (*report.limit - *report.ceiling) / *report.slope;
  report.at_peak = 1;
  report.lows = sample_lows(gib(7.2), gib(12.1), 44);
  report.lows[17].reset();  // allocd was down
  report.lows[18].reset();
  report.lives = {{kSampleTime - 25 * kDay, kSampleTime - 18 * kDay, gib(7.1), gib(10.2), 5300.0},
                  {kSampleTime - 18 * kDay, kSampleTime - 11 * kDay, gib(7.2), gib(10.4), 5500.0}};
  report.lives_growth_per_second = 5400;
  report.roles = {{engine::Role::api_server, gib(5.9), gib(5.2), 19.4 * kMB / kHour},
                  {engine::Role::engine_core, gib(3.3), gib(3.1), 0.4 * kMB / kHour},
                  {engine::Role::worker, gib(3.9), gib(3.8), 0.2 * kMB / kHour}};
  return report;
}

inline drift::Report sample_exhausting() {
  auto report = sample_report(2 * kDay + 10 * kHour, gib(11), gib(14.6));
  report.state = drift::State::exhaustion;
  report.fast = report.exhaustion = true;
  report.warm_floor = gib(4.4);
  report.slope = 140 * kMB / kHour;
  report.rising = 1;
  report.limit_kind = drift::LimitKind::cgroup;
  report.limit = gib(16);
  report.time_to_limit = 2.2 * kHour;  // by the line of the last two hours
  report.at_peak = 0.98;
  report.lows = sample_lows(gib(4.4), gib(14), 10);
  return report;
}

inline drift::Report sample_watched() {
  auto report = sample_report(5 * kDay, gib(3.3), gib(4.4));
  report.state = drift::State::watch;
  report.warm_floor = gib(3);
  report.slope = 4 * kMB / kHour;
  report.rising = 0.7;
  report.limit_kind = drift::LimitKind::node;
  report.limit = gib(218);
  report.time_to_limit = (*report.limit - *report.ceiling) / *report.slope;
  report.lows = sample_lows(gib(3), gib(3.3), 20);
  return report;
}

inline drift::Report sample_steady() {
  auto report = sample_report(20 * kDay, gib(9), gib(11));
  report.window = 15 * kDay;  // all that is kept
  report.warm_floor = gib(9.1);
  report.slope = -0.2 * kMB / kHour;
  report.rising = 0.4;
  report.limit_kind = drift::LimitKind::node;
  report.limit = gib(220);
  report.lows = sample_lows(gib(9.1), gib(9), 60);
  return report;
}

inline drift::Report sample_young() {
  auto report = sample_report(12 * kHour, gib(6.2), gib(6.9));
  report.state = drift::State::warming;
  report.limit_kind = drift::LimitKind::cgroup;
  report.limit = gib(16);
  report.lows = sample_lows(gib(6), gib(6.2), 2);
  for (int night = 8; night > 0; --night) {
    const double started_at = kSampleTime - night * kDay - 12 * kHour;
    report.lives.push_back({started_at, started_at + 23.9 * kHour, gib(6), gib(6.4), 20 * kMB / kHour});
  }
  report.lives.front().growth_per_second.reset();  // it lived too short for one
  report.lives_growth_per_second = 20 * kMB / kHour;
  return report;
}

inline drift::Report sample_half_judged() {
  auto report = sample_report(2 * kDay, gib(2), gib(2.6));
  report.warm_floor = gib(2);
  report.slope = 0;
  report.rising = 0.5;
  report.lows = sample_lows(gib(2), gib(2), 8);
  return report;
}

inline drift::Report sample_ended() {
  drift::Report report;
  report.lives = {{kSampleTime - 9 * kDay, kSampleTime - 5 * kDay, gib(2), gib(2), -10.0},
                  {kSampleTime - 5 * kDay, kSampleTime - 4.9 * kDay, {}, gib(1.5), {}}};
  report.lives_growth_per_second = -10;
  return report;
}

// Of sample_snapshot.hpp's units, in their fourth day: too young for the slow rule.
inline void add_vllm_drift(snapshot::Unit& unit) {
  auto& report = unit.drift = sample_report(76 * kHour, gib(44.5), gib(47.6));
  report.state = drift::State::watch;
  report.warm_floor = gib(43);
  report.slope = 15 * kMB / kHour;
  report.rising = 0.875;
  report.limit_kind = drift::LimitKind::cgroup;
  report.limit = gib(60);
  report.time_to_limit = (*report.limit - *report.ceiling) / *report.slope;
  report.at_peak = 0;
  report.lows = sample_lows(gib(43), gib(44.5), 13);
  report.lows[4].reset();
  report.lives = {
      {kSampleTime - 9 * kDay, kSampleTime - 76 * kHour, gib(43), gib(43.2), 420.0},
      {kSampleTime - 76 * kHour - 900, kSampleTime - 76 * kHour - 300, std::nullopt, std::nullopt, {}}};
  report.lives_growth_per_second = 420;
  report.roles = {{engine::Role::launcher, 80 * static_cast<double>(kMiB), std::nullopt, std::nullopt},
                  {engine::Role::worker, gib(43), gib(40.5), 14 * kMB / kHour}};
}

inline void add_sglang_drift(snapshot::Unit& unit) {
  auto& report = unit.drift = sample_report(76 * kHour, gib(9.9), gib(10.2));
  report.warm_floor = gib(9.9);
  report.slope = 0;
  report.rising = 0.5;
  report.limit_kind = drift::LimitKind::node;
  report.limit = gib(224);
  report.lows = sample_lows(gib(9.9), gib(9.9), 13);
}

// Every figure as large, or as far below 0, as a document can say it.
inline drift::Report sample_extreme_report(drift::State state, double extreme) {
  using drift::Report;
  Report report;
  report.known = report.slow = report.fast = report.exhaustion = true;
  report.state = state;
  report.life_started_at = report.window = report.needed = extreme;
  report.limit_kind = drift::LimitKind::cgroup;
  for (const auto member : {&Report::memory, &Report::floor, &Report::ceiling, &Report::warm_floor,
                            &Report::slope, &Report::rising, &Report::limit, &Report::time_to_limit,
                            &Report::at_peak, &Report::falls, &Report::lives_growth_per_second}) {
    report.*member = extreme;
  }
  report.lows = {extreme, std::nullopt, -extreme, 0.0};
  report.lives = {{extreme, -extreme, extreme, extreme, extreme}, {0, 0, {}, {}, {}}};
  for (const auto role : engine::kRoleNames.values())
    report.roles.push_back({role, extreme, extreme, extreme});
  return report;
}

inline snapshot::RoleSum sample_drift_role(engine::Role role, allocator::Kind active, std::uint64_t heaps) {
  snapshot::RoleSum sum;
  sum.role = role;
  sum.processes = 1;
  sum.max_mappings = 900;
  sum.glibc_heaps = heaps;
  sum.active[active] = 1;
  sum.rungs[allocator::Rung::resolved] = 1;
  return sum;
}

inline snapshot::Unit sample_drift_unit(const std::string& name, drift::Report report,
                                        allocator::Kind active) {
  snapshot::Unit unit;
  unit.name = name;
  unit.service = name.substr(0, name.find('.'));
  unit.engine = engine::Engine::vllm;
  unit.up = report.known;
  unit.load_state = "loaded";
  unit.active_state = unit.up ? "active" : "inactive";
  unit.control_group = unit.up ? "/system.slice/" + name : "";
  unit.started_at = report.life_started_at;
  unit.assessment.state = unit.up ? policy::State::exempt : policy::State::inactive;
  unit.assessment.reason = unit.up ? policy::Reason::no_policy : policy::Reason::unit_down;
  const bool is_glibc = active == allocator::Kind::glibc;
  if (unit.up) unit.roles = {sample_drift_role(engine::Role::api_server, active, is_glibc ? 107 : 0)};
  unit.drift = std::move(report);
  return unit;
}

inline snapshot::Snapshot sample_drift_snapshot() {
  using allocator::Kind;
  snapshot::Snapshot sample;
  sample.version = "0.1.0";
  sample.taken_at = kSampleTime;
  sample.started_at = kSampleTime - 30 * kDay;
  sample.interval = 10;
  sample.hostname = "gpu-node-07";
  sample.bus.connected = true;
  sample.units = {sample_drift_unit("batch.service", sample_exhausting(), Kind::glibc),
                  sample_drift_unit("chat.service", sample_drifting(), Kind::glibc),
                  sample_drift_unit("down.service", sample_ended(), Kind::glibc),
                  sample_drift_unit("embed.service", sample_watched(), Kind::jemalloc),
                  sample_drift_unit("late.service", sample_half_judged(), Kind::glibc),
                  sample_drift_unit("nightly.service", sample_young(), Kind::glibc),
                  sample_drift_unit("rerank.service", sample_steady(), Kind::jemalloc)};
  return sample;
}

}  // namespace allocd::test
