// SPDX-License-Identifier: Apache-2.0
#include "enforcer/fuse_watch.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "enforcer/health.hpp"
#include "enforcer/stop_line.hpp"

namespace allocd::enforcer {

namespace {

constexpr std::chrono::milliseconds kHealthLimit{3000};

bool is_down(const host::UnitFacts& facts) {
  return facts.active_state == "inactive" || facts.active_state == "failed";
}

// systemd itself ended it, before its main process did.
bool is_ended_by_systemd(const std::string& result) {
  constexpr std::array<std::string_view, 3> kResults{"watchdog", "oom-kill", "start-limit-hit"};
  return std::ranges::count(kResults, result) > 0;
}

double to_seconds(std::uint64_t usec) {
  return static_cast<double>(usec) / 1e6;
}

}  // namespace

std::optional<bool> tell_stop(const host::UnitFacts& facts) {
  if (is_ended_by_systemd(facts.result)) return false;
  const bool was_active = facts.active_enter_monotonic >= facts.inactive_exit_monotonic &&
                          facts.active_exit_monotonic >= facts.active_enter_monotonic;
  if (facts.active_enter_monotonic == 0 || !was_active || facts.main_exit_monotonic == 0) return std::nullopt;
  return facts.active_exit_monotonic < facts.main_exit_monotonic;
}

bool was_stopped(const host::UnitFacts& facts, const std::string& invocation) {
  if (facts.invocation_id == invocation) {
    if (const auto told = tell_stop(facts)) return *told;
  }
  return has_stop_line(facts.name, invocation);
}

policy::FuseView view_of(const host::UnitFacts& facts, const policy::FuseMemory& memory) {
  const bool is_watched =
      memory.phase == policy::FusePhase::settling ||
      (memory.phase == policy::FusePhase::waiting && facts.invocation_id != memory.invocation);
  return {.load_state = facts.load_state,
          .active_state = facts.active_state,
          .sub_state = facts.sub_state,
          .invocation = facts.invocation_id,
          .restarts = facts.restarts,
          .up_since = to_seconds(facts.active_enter_monotonic),
          .is_stopped = is_watched && is_down(facts) && was_stopped(facts, facts.invocation_id),
          .health = policy::Health::none};
}

policy::FuseView add_health(policy::FuseView view, const policy::FuseMemory& memory,
                            const settings::Service* service, std::chrono::milliseconds settle, double now) {
  if (service == nullptr || service->health.empty()) return view;
  view.health = policy::Health::not_asked;
  if (!policy::wants_health(memory, view, {settle}, now)) return view;
  view.health = is_healthy(service->health, kHealthLimit) ? policy::Health::well : policy::Health::ill;
  return view;
}

}  // namespace allocd::enforcer
