// SPDX-License-Identifier: Apache-2.0
#include "ctl/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "ctl/figures.hpp"
#include "metrics/metrics.hpp"

namespace allocd::ctl {

UnitSummary summarise(const snapshot::Unit& unit) {
  UnitSummary sum;
  for (const auto& role : unit.roles) {
    sum.processes += role.processes;
    sum.resident += role.memory.resident;
    sum.anonymous += role.memory.anonymous;
    for (const auto& [kind, count] : role.active) sum.active[kind] += count;
  }
  return sum;
}

NodeSummary summarise(const snapshot::Snapshot& snapshot) {
  NodeSummary sum;
  for (const auto& unit : snapshot.units) {
    ++sum.states[unit.assessment.state];
    sum.unreadable += unit.permission_errors;
    sum.pending += unit.evidence_pending;
    sum.dropped += unit.processes_dropped;
  }
  return sum;
}

std::string active_text(const std::map<allocator::Kind, std::uint64_t>& active) {
  std::string text;
  for (const auto& [kind, count] : active) {
    if (!text.empty()) text += ", ";
    text += fmt::format("{} {}", allocator::kKindNames.name(kind), count);
  }
  return text.empty() ? "-" : text;
}

double running_since(const snapshot::Unit& unit) {
  if (unit.started_at > 0 || unit.processes.empty()) return unit.started_at;
  return std::ranges::min(unit.processes, {}, &snapshot::Process::started_at).started_at;
}

std::string verdict_text(const policy::Assessment& assessment) {
  const auto state = policy::kStateNames.name(assessment.state);
  if (assessment.reason == policy::Reason::none) return std::string(state);
  return fmt::format("{} ({})", state, policy::kReasonNames.name(assessment.reason));
}

std::string role_text(const snapshot::Process& process) {
  const auto& ranks = process.ranks;
  const std::array<std::pair<const char*, std::optional<std::uint32_t>>, 4> named{
      {{"dp", ranks.dp}, {"pp", ranks.pp}, {"tp", ranks.tp}, {"ep", ranks.ep}}};
  std::string text;
  for (const auto& [name, rank] : named) {
    if (rank) text += fmt::format("{}{}{}", text.empty() ? "" : " ", name, *rank);
  }
  const auto role = engine::kRoleNames.name(process.role);
  return text.empty() ? std::string(role) : fmt::format("{} ({})", role, text);
}

double sample_age(const snapshot::Snapshot& snapshot, double now) {
  return std::max(0.0, now - snapshot.taken_at);
}

bool is_stale(const snapshot::Snapshot& snapshot, double now) {
  return sample_age(snapshot, now) > metrics::stale_after(snapshot);
}

std::string stale_text(const snapshot::Snapshot& snapshot, double now) {
  return fmt::format(
      "the last sample is {} old, at an interval of {}: allocd is stuck, overloaded or stopped",
      format_duration(sample_age(snapshot, now)), format_duration(snapshot.interval));
}

}  // namespace allocd::ctl
