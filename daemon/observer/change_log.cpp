// SPDX-License-Identifier: Apache-2.0
#include "observer/change_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "host/message_id.hpp"

namespace allocd::observer {

namespace {

using host::Priority;
namespace id = host::message_id;

const snapshot::Process* first_violation(const snapshot::Unit& unit) {
  const auto found = std::ranges::find(unit.processes, policy::State::violation, &snapshot::Process::state);
  return found == unit.processes.end() ? nullptr : &*found;
}

}  // namespace

void ChangeLog::note(const snapshot::Snapshot& snapshot) {
  note_bus(snapshot.bus);
  for (const auto& unit : snapshot.units) {
    const auto [at, is_new] = units_.try_emplace(unit.name);
    if (is_new && !first_) {
      journal_.log(Priority::info, id::kUnitAppeared, fmt::format("{} is watched now.", unit.name),
                   {{"ALLOCD_UNIT", unit.name}});
    }
    note_state(unit, at->second);
    note_transition(unit, at->second);
    note_drop_in(unit, at->second);
    note_permission(unit, at->second);
  }
  note_vanished(snapshot);
  first_ = false;
}

void ChangeLog::note_bus(const snapshot::BusSummary& bus) {
  if (bus.connected == bus_connected_) return;
  bus_connected_ = bus.connected;
  if (bus.connected) {
    journal_.log(Priority::notice, id::kBusBack, "The connection to systemd is back.", {});
  } else {
    journal_.log(Priority::warning, id::kBusLost,
                 fmt::format("systemd is out of reach ({}); keeping the last view and trying again.",
                             bus.last_error.empty() ? "the connection was lost" : bus.last_error),
                 {{"ALLOCD_CAUSE", bus.last_error}});
  }
}

void ChangeLog::note_state(const snapshot::Unit& unit, Seen& seen) {
  using policy::State;
  const State before = seen.state;
  const State now = unit.assessment.state;
  // "Unknown" is a lack of news, not the end of a violation.
  if (now == State::unknown || now == before) return;
  seen.state = now;
  if (now == State::violation) {
    const auto* process = first_violation(unit);
    const std::string wanted(settings::kWantedNames.name(unit.wanted));
    const std::string found(process != nullptr ? allocator::kKindNames.name(process->evidence.active)
                                               : "unknown");
    journal_.log(Priority::warning, id::kViolation,
                 fmt::format("{}: policy asks for {}, process {} uses {} ({}).", unit.name, wanted,
                             process != nullptr ? process->pid : 0, found,
                             policy::kReasonNames.name(unit.assessment.reason)),
                 {{"ALLOCD_UNIT", unit.name},
                  {"ALLOCD_PID", process != nullptr ? std::to_string(process->pid) : "0"},
                  {"ALLOCD_WANTED", wanted},
                  {"ALLOCD_FOUND", found}});
  } else if (before == State::violation) {
    journal_.log(
        Priority::notice, id::kViolationCleared,
        fmt::format("{}: the violation has ended, it is now {}.", unit.name, policy::kStateNames.name(now)),
        {{"ALLOCD_UNIT", unit.name}});
  }
}

// All but violations, which have messages of their own.
void ChangeLog::note_transition(const snapshot::Unit& unit, Seen& seen) {
  using policy::State;
  const State now = unit.assessment.state;
  if (now == State::unknown || now == State::inactive || now == State::exempt) return;
  const State before = std::exchange(seen.judged, now);
  if (now == before || now == State::violation || before == State::violation) return;
  if (before == State::unknown && now != State::rolled_back) return;
  const bool is_setback = now == State::rolled_back;
  const auto state = policy::kStateNames.name(now);
  const auto reason = policy::kReasonNames.name(unit.assessment.reason);
  const auto former = policy::kStateNames.name(before);
  journal_.log(is_setback ? Priority::warning : Priority::notice, id::kStateChanged,
               now == State::compliant
                   ? fmt::format("{}: was {}, is compliant now.", unit.name, former)
                   : fmt::format("{}: was {}, is {} ({}) now.", unit.name, former, state, reason),
               {{"ALLOCD_UNIT", unit.name},
                {"ALLOCD_STATE", std::string(state)},
                {"ALLOCD_REASON", std::string(reason)},
                {"ALLOCD_BEFORE", std::string(former)}});
}

// What the enforcer takes away it forgets first or latches, so that only another's hand makes one missing
// that is still remembered.
void ChangeLog::note_drop_in(const snapshot::Unit& unit, Seen& seen) {
  using policy::DropInState;
  const DropInState now = unit.drop_in.state;
  if (now == DropInState::unreadable) return;
  const DropInState before = std::exchange(seen.drop_in, now);
  const bool is_expected = unit.drop_in.applied_at > 0;
  const bool was_expected = std::exchange(seen.is_expected, is_expected);
  const bool is_deleted = now == DropInState::absent && is_expected && was_expected;
  if (now == before || (now != DropInState::tampered && !is_deleted)) return;
  journal_.log(Priority::warning, id::kDropInTampered,
               now == DropInState::tampered
                   ? fmt::format("{}: {} was edited by hand; it is left alone.", unit.name, unit.drop_in.path)
                   : fmt::format("{}: {} was deleted.", unit.name, unit.drop_in.path),
               {{"ALLOCD_UNIT", unit.name}, {"ALLOCD_PATH", unit.drop_in.path}});
}

void ChangeLog::note_permission(const snapshot::Unit& unit, Seen& seen) {
  const bool lost = unit.permission_errors > 0;
  if (lost && !seen.permission_lost) {
    const auto refused =
        std::ranges::find(unit.processes, policy::Reason::not_permitted, &snapshot::Process::reason);
    const bool known = refused != unit.processes.end();
    journal_.log(
        Priority::warning, id::kPermissionLost,
        fmt::format("{}: {} of its processes may not be read; their allocator is shown as unknown.",
                    unit.name, unit.permission_errors),
        {{"ALLOCD_UNIT", unit.name},
         {"ALLOCD_PID", known ? std::to_string(refused->pid) : "0"},
         {"ALLOCD_CAUSE", known ? refused->evidence.detail : "a file of the process may not be opened"}});
  }
  seen.permission_lost = lost;
}

void ChangeLog::note_vanished(const snapshot::Snapshot& snapshot) {
  std::erase_if(units_, [&](const auto& entry) {
    const bool gone = !std::ranges::binary_search(snapshot.units, entry.first, {}, &snapshot::Unit::name);
    if (gone) {
      journal_.log(Priority::info, id::kUnitVanished, fmt::format("{} is not watched any more.", entry.first),
                   {{"ALLOCD_UNIT", entry.first}});
    }
    return gone;
  });
}

}  // namespace allocd::observer
