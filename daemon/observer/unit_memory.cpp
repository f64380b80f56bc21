// SPDX-License-Identifier: Apache-2.0
#include "observer/unit_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernel/cgroup.hpp"
#include "kernel/system.hpp"

namespace allocd::observer {

namespace {

using kernel::NoCgroupMemory;
using snapshot::CgroupMemoryState;

CgroupMemoryState state_of(NoCgroupMemory reason) {
  switch (reason) {
    case NoCgroupMemory::controller_off:
      return CgroupMemoryState::controller_off;
    case NoCgroupMemory::cgroup_v1:
      return CgroupMemoryState::cgroup_v1;
    case NoCgroupMemory::gone:
      return CgroupMemoryState::gone;
    case NoCgroupMemory::not_permitted:
      return CgroupMemoryState::not_permitted;
    case NoCgroupMemory::failed:
      break;
  }
  return CgroupMemoryState::failed;
}

bool is_error(CgroupMemoryState state) {
  return state == CgroupMemoryState::not_permitted || state == CgroupMemoryState::failed;
}

// A share of the interval that is the unit's own, so that not all are read in one sample.
Clock::duration spread(const std::string& name, std::chrono::milliseconds interval) {
  constexpr std::size_t kParts = 64;
  return interval * static_cast<int>(1 + std::hash<std::string>{}(name) % kParts) / kParts;
}

}  // namespace

UnitMemoryWatch::UnitMemoryWatch(const host::Root& root) : reader_(root, kernel::find_cgroup_mount(root)) {
}

void UnitMemoryWatch::sample(snapshot::Unit& unit, Clock::time_point now,
                             std::chrono::milliseconds slow_interval) {
  if (unit.control_group.empty()) {
    entries_.erase(unit.name);
    return;
  }
  const auto begun = Clock::now();
  Entry& entry = entries_[unit.name];
  if (entry.control_group != unit.control_group || entry.invocation_id != unit.invocation_id) {
    entry = {};
    entry.control_group = unit.control_group;
    entry.invocation_id = unit.invocation_id;
  }
  read(entry, unit.name, now, slow_interval);
  unit.cgroup = entry.shown;
  totals_.seconds += std::chrono::duration<double>(Clock::now() - begun).count();
  note(unit.name, entry.shown);
}

void UnitMemoryWatch::read(Entry& entry, const std::string& name, Clock::time_point now,
                           std::chrono::milliseconds interval) {
  const bool is_slow_due = !entry.next_slow || now >= *entry.next_slow;
  // A group that is not there costs one call to ask for, and may come back at any time.
  const bool is_wanted = !entry.group && (is_slow_due || entry.shown.state == CgroupMemoryState::gone);
  if (entry.group && !is_slow_due) take_fast(entry);
  if (entry.group && is_slow_due) take_all(entry);
  // Not there before, or removed just now: what stands under its name is another group.
  const bool is_lost = !entry.group && entry.shown.state == CgroupMemoryState::gone;
  if (is_wanted || is_lost) open(entry);
  if (!is_slow_due) return;
  entry.next_slow = now + (entry.next_slow ? Clock::duration(interval) : spread(name, interval));
}

void UnitMemoryWatch::open(Entry& entry) {
  auto group = reader_.open(entry.control_group);
  if (!group) {
    entry.shown = {.state = state_of(group.error())};
    return;
  }
  entry.group = std::move(*group);
  take_all(entry);
}

void UnitMemoryWatch::take_fast(Entry& entry) {
  auto& shown = entry.shown;
  if (!shown.memory) shown.memory.emplace();
  if (const auto reason = reader_.read_fast(*entry.group, *shown.memory)) {
    entry.group.reset();
    shown = {.state = state_of(*reason)};
    return;
  }
  shown.read_at = kernel::realtime_now();
}

void UnitMemoryWatch::take_all(Entry& entry) {
  auto& shown = entry.shown;
  shown.memory.emplace();
  if (const auto reason = reader_.read_all(*entry.group, *shown.memory)) {
    entry.group.reset();
    shown = {.state = state_of(*reason)};
    return;
  }
  shown.state = CgroupMemoryState::available;
  shown.read_at = shown.limits_read_at = kernel::realtime_now();
}

void UnitMemoryWatch::note(const std::string& name, const snapshot::UnitCgroup& shown) {
  const auto add = [&](const std::string& what, bool is_permission) {
    ++totals_.errors;
    totals_.permission_errors += is_permission ? 1 : 0;
    if (totals_.error.empty()) totals_.error = fmt::format("{}: {}", name, what);
  };
  if (is_error(shown.state)) {
    add("its control group cannot be read", shown.state == CgroupMemoryState::not_permitted);
  }
  if (!shown.memory || shown.memory->errors() == 0) return;
  const auto& problems = shown.memory->problems;
  const auto first = std::ranges::find_if(problems, [](const kernel::FileProblem& problem) {
    return problem.kind != kernel::FileProblemKind::missing;
  });
  const bool is_permission = std::ranges::any_of(problems, [](const kernel::FileProblem& problem) {
    return problem.kind == kernel::FileProblemKind::not_permitted;
  });
  add(fmt::format("{}: {}", first->file, kernel::kFileProblemKindNames.name(first->kind)), is_permission);
}

void UnitMemoryWatch::forget_unless(const std::function<bool(const std::string&)>& is_watched) {
  std::erase_if(entries_, [&](const auto& entry) { return !is_watched(entry.first); });
}

UnitMemoryWatch::Totals UnitMemoryWatch::take_totals() {
  return std::exchange(totals_, {});
}

}  // namespace allocd::observer
