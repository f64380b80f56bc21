// SPDX-License-Identifier: Apache-2.0
#include "observer/drift_sample.hpp"

#include <algorithm>
#include <tuple>

#include "kernel/system.hpp"

namespace allocd::observer {

namespace {

using drift::LimitKind;
using snapshot::CgroupMemoryState;

constexpr double kAtPeak = 0.98;

double held_by(const snapshot::Memory& memory) {
  return static_cast<double>(memory.anonymous + memory.swap);
}

// What could not be read may hold a limit.
bool may_hide_a_limit(const snapshot::UnitCgroup& cgroup) {
  switch (cgroup.state) {
    case CgroupMemoryState::available:
      return !cgroup.memory || !cgroup.memory->effective_max;
    case CgroupMemoryState::controller_off:
    case CgroupMemoryState::cgroup_v1:
      return false;
    case CgroupMemoryState::gone:
    case CgroupMemoryState::not_permitted:
    case CgroupMemoryState::failed:
    case CgroupMemoryState::not_read:
      break;
  }
  return true;
}

// What was available long ago would be a limit that grows with what the unit holds.
bool is_stale(const snapshot::Node& node, double realtime) {
  constexpr double kAtLeast = 60;
  return node.read_at > 0 && realtime - node.read_at > std::max(kAtLeast, 3 * node.interval);
}

}  // namespace

const snapshot::Process* find_main_process(const snapshot::Unit& unit) {
  if (unit.processes.empty()) return nullptr;
  const auto main = std::ranges::find_if(unit.processes, [&](const snapshot::Process& process) {
    return unit.main_pid != 0 && process.pid == static_cast<std::int32_t>(unit.main_pid);
  });
  if (main != unit.processes.end()) return &*main;
  // By pid where two started in the same tick.
  return &*std::ranges::min_element(unit.processes, {}, [](const snapshot::Process& process) {
    return std::pair(process.start_ticks, process.pid);
  });
}

std::pair<LimitKind, std::optional<double>> find_memory_limit(const snapshot::UnitCgroup& cgroup,
                                                              const snapshot::Node& node, const Held& held) {
  if (may_hide_a_limit(cgroup)) return {LimitKind::none, std::nullopt};
  const auto& memory = node.state.memory;
  if (cgroup.memory && cgroup.memory->effective_max) {
    const auto& limit = cgroup.memory->effective_max->limit;
    const bool is_beyond = memory.total && limit.bytes > *memory.total;
    if (!limit.is_unlimited() && !is_beyond)
      return {LimitKind::cgroup, held.swapped + static_cast<double>(limit.bytes)};
  }
  if (!node.known || !memory.available) return {LimitKind::none, std::nullopt};
  return {LimitKind::node, held.memory + static_cast<double>(*memory.available)};
}

std::optional<DriftSample> make_drift_sample(const snapshot::Unit& unit, const snapshot::Snapshot& snapshot,
                                             double since_boot, double realtime) {
  const auto* main = find_main_process(unit);
  if (main == nullptr) return std::nullopt;
  DriftSample made;
  made.key = {snapshot.boot_id, static_cast<std::uint32_t>(main->pid), main->start_ticks};
  made.sample.uptime = since_boot - kernel::start_since_boot(main->start_ticks);
  Held held;
  double resident = 0;
  double peak = 0;
  for (const auto& role : unit.roles) {
    made.roles.push_back({role.role, held_by(role.memory)});
    held.memory += held_by(role.memory);
    held.swapped += static_cast<double>(role.memory.swap);
    resident += static_cast<double>(role.memory.resident);
    peak += static_cast<double>(role.memory.peak_resident);
  }
  made.sample.at_peak = peak > 0 && resident >= kAtPeak * peak;
  made.sample.memory = held.memory;
  static const snapshot::Node kUnread;
  const auto& node = is_stale(snapshot.node, realtime) ? kUnread : snapshot.node;
  std::tie(made.sample.limit_kind, made.sample.limit) = find_memory_limit(unit.cgroup, node, held);
  return made;
}

}  // namespace allocd::observer
