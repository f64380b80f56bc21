// SPDX-License-Identifier: Apache-2.0
// Metrics of what days of samples say of a unit. Prometheus gets the verdict and what it rests on, so that an
// alert is right after a gap in the scrapes too.
#include <cstddef>
#include <set>
#include <string_view>

#include "metrics/rows.hpp"

namespace allocd::metrics {
namespace {

using drift::Report;
using drift::RoleReport;
using snapshot::Unit;

constexpr Type kGauge = Type::gauge;

// Of a unit without processes nothing is said but what is remembered of its ended lives.
template <auto Member>
void figure(const Unit& unit, const Sink& out) {
  if (unit.drift.known) out.add(unit.drift.*Member);
}

template <typename Enum, std::size_t Count>
void state_set(const Sink& out, std::string_view label, const base::EnumNames<Enum, Count>& names,
               Enum current) {
  for (const Enum value : names.values()) out.add(value == current, {{label, names.name(value)}});
}

void states(const Unit& unit, const Sink& out) {
  if (unit.drift.known) state_set(out, "state", drift::kStateNames, unit.drift.state);
}

void kinds(const Unit& unit, const Sink& out) {
  if (unit.drift.known) state_set(out, "kind", drift::kKindNames, unit.drift.kind);
}

void rules(const Unit& unit, const Sink& out) {
  if (!unit.drift.known) return;
  out.add(unit.drift.slow, {{"rule", "slow"}});
  out.add(unit.drift.fast, {{"rule", "fast"}});
  out.add(unit.drift.exhaustion, {{"rule", "exhaustion"}});
}

void limit(const Unit& unit, const Sink& out) {
  const Report& report = unit.drift;
  if (!report.known || report.limit_kind == drift::LimitKind::none) return;
  out.add(report.limit, {{"kind", drift::kLimitKindNames.name(report.limit_kind)}});
}

void life_start(const Unit& unit, const Sink& out) {
  if (unit.drift.known && unit.drift.life_started_at > 0) out.add(unit.drift.life_started_at);
}

// A unit that was never seen to run has no lives; one that runs for the first time has none yet, and that is
// known.
void lives(const Unit& unit, const Sink& out) {
  if (unit.drift.known || !unit.drift.lives.empty()) out.add(unit.drift.lives.size());
}

template <auto Member>
void by_role(const Unit& unit, const Sink& out) {
  if (!unit.drift.known) return;
  std::set<engine::Role> seen;  // a report that names a role twice gets its first
  for (const RoleReport& role : unit.drift.roles) {
    if (seen.insert(role.role).second) out.add(role.*Member, {{"role", engine::kRoleNames.name(role.role)}});
  }
}

constexpr Row kRows[] = {
    {{"allocd_unit_drift_state", kGauge, Scope::unit, "unit,state",
      "1 for what days of samples say of the unit's memory, 0 for the others: too young for a verdict "
      "(warming), no rule holds (normal), the last day rose (watch), slow or fast "
      "drift (drift), hours from its limit (exhaustion); no sample while the unit has no process",
      "verdict of the observer"},
     states},
    {{"allocd_unit_drift_rule_active", kGauge, Scope::unit, "unit,rule",
      "1 if the rule holds: each of the last two days raised the floor (slow), four hourly lows rose, the "
      "first above every low of the day before (fast), the last two hours, extrapolated by four, pass the "
      "limit (exhaustion)",
      "verdict of the observer"},
     rules},
    {{"allocd_unit_drift_kind", kGauge, Scope::unit, "unit,kind",
      "1 for what the growth looks like, 0 for the others: unknown without drift and in its first ten days; "
      "none of them tells a leak from retention",
      "verdict of the observer"},
     kinds},
    {{"allocd_unit_drift_memory_bytes", kGauge, Scope::unit, "unit",
      "The memory that drift is judged by: resident anonymous and swapped-out memory, summed",
      "RssAnon and VmSwap in /proc/PID/status"},
     figure<&Report::memory>},
    {{"allocd_unit_drift_floor_bytes", kGauge, Scope::unit, "unit",
      "What the unit holds at its quietest: the lowest of that memory in the last 24 full hours",
      "samples of the observer"},
     figure<&Report::floor>},
    {{"allocd_unit_drift_ceiling_bytes", kGauge, Scope::unit, "unit",
      "The highest of that memory in the last 24 full hours", "samples of the observer"},
     figure<&Report::ceiling>},
    {{"allocd_unit_drift_warm_floor_bytes", kGauge, Scope::unit, "unit",
      "What the unit held after warm-up: the lowest between the 6th and the 30th hour of its life",
      "samples of the observer"},
     figure<&Report::warm_floor>},
    {{"allocd_unit_drift_slope_bytes_per_second", kGauge, Scope::unit, "unit",
      "How fast the floor rises: the median of the last 48 differences to the same hour a day before",
      "samples of the observer"},
     figure<&Report::slope>},
    {{"allocd_unit_drift_rising_ratio", kGauge, Scope::unit, "unit",
      "Share of these differences that are above 0", "samples of the observer"},
     figure<&Report::rising>},
    {{"allocd_unit_drift_limit_bytes", kGauge, Scope::unit, "unit,kind",
      "The limit that the unit's memory meets first: of its control group or one above it, else what it "
      "holds "
      "and the machine has available; no sample while neither can be read",
      "memory.max up to the root, MemAvailable"},
     limit},
    {{"allocd_unit_drift_time_to_limit_seconds", kGauge, Scope::unit, "unit",
      "Time until the ceiling meets that limit at this slope; no sample when the floor does not rise",
      "samples of the observer"},
     figure<&Report::time_to_limit>},
    {{"allocd_unit_drift_life_start_timestamp_seconds", kGauge, Scope::unit, "unit",
      "When the main process of the unit started: a verdict is of one life", "field 22 of /proc/PID/stat"},
     life_start},
    {{"allocd_unit_drift_window_seconds", kGauge, Scope::unit, "unit",
      "How much of this life was seen and the verdict rests on", "the observer"},
     figure<&Report::window>},
    {{"allocd_unit_drift_needed_seconds", kGauge, Scope::unit, "unit",
      "Uptime at which all rules can speak; before it, a unit without drift is one that is too young to tell",
      "the observer"},
     figure<&Report::needed>},
    {{"allocd_unit_drift_at_peak_ratio", kGauge, Scope::unit, "unit",
      "Share of the samples of the last 24 hours in which resident memory was within 2 % of its peak: at 1 "
      "nothing ever comes back",
      "VmRSS against VmHWM in /proc/PID/status"},
     figure<&Report::at_peak>},
    {{"allocd_unit_drift_falls_ratio", kGauge, Scope::unit, "unit",
      "How much of the ceiling comes back when load falls: (ceiling - floor) / ceiling",
      "samples of the observer"},
     figure<&Report::falls>},
    {{"allocd_unit_drift_lives", kGauge, Scope::unit, "unit",
      "Ended lives of the unit that are remembered, at most 8", "state directory of the observer"},
     lives},
    {{"allocd_unit_drift_lives_growth_bytes_per_second", kGauge, Scope::unit, "unit",
      "Median of how fast the floor grew within each of them: shows growth that restarts hide; no sample "
      "with fewer than three that tell it",
      "state directory of the observer"},
     [](const Unit& u, const Sink& out) { out.add(u.drift.lives_growth_per_second); }},
    {{"allocd_unit_drift_role_floor_bytes", kGauge, Scope::role, "unit,role",
      "What the processes of the role hold at their quietest: the lowest of the last 24 full hours",
      "samples of the observer"},
     by_role<&RoleReport::floor>},
    {{"allocd_unit_drift_role_slope_bytes_per_second", kGauge, Scope::role, "unit,role",
      "How fast that floor rises, as for the unit", "samples of the observer"},
     by_role<&RoleReport::slope>},
};

}  // namespace

std::span<const Row> drift_rows() {
  return kRows;
}

}  // namespace allocd::metrics
