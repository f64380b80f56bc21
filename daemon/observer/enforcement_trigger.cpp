// SPDX-License-Identifier: Apache-2.0
#include "observer/enforcement_trigger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "policy/selection.hpp"

namespace allocd::observer {

namespace {

using policy::DropInPhase;
using policy::DropInState;
using policy::State;
using policy::Verdict;
using settings::RestartWhen;
using snapshot::Unit;

// A wish that comes and goes (a unit in a restart loop) keeps its wait for so long.
constexpr std::chrono::minutes kRemembered{15};

constexpr std::size_t kOnDisk = 1;
constexpr std::size_t kLoaded = 2;

// States in which there is nothing for a drop-in to mend, or that are not ours to mend.
bool is_out_of_hand(const Unit& unit) {
  const State state = unit.assessment.state;
  return state == State::exempt || state == State::not_enforceable || state == State::rolled_back ||
         state == State::unknown || unit.load_state != "loaded";
}

bool has_drifted(const Unit& unit) {
  if (unit.mode != settings::Mode::enforce || is_out_of_hand(unit)) return false;
  const DropInState file = unit.drop_in.state;
  if (file == DropInState::tampered || file == DropInState::foreign || file == DropInState::unreadable)
    return false;
  const auto& chain = unit.assessment.chain;
  const bool is_deleted = file == DropInState::absent && unit.drop_in.applied_at > 0;
  return is_deleted || chain[kOnDisk].verdict == Verdict::fails || chain[kLoaded].verdict == Verdict::fails;
}

// Without anything that a restart loop changes.
std::string facts_of_drift(const Unit& unit) {
  std::string facts =
      fmt::format("{} {} {} {} {}", policy::kDropInStateNames.name(unit.drop_in.state), unit.drop_in.loaded,
                  unit.drop_in.applied_at, unit.need_daemon_reload, fmt::join(unit.drop_in_paths, " "));
  for (const auto& variable : unit.environment.variables)
    facts += fmt::format(" {}={}", variable.name, variable.is_set ? variable.value : "");
  return facts;
}

bool wants_fuse(const Unit& unit) {
  const auto phase = unit.drop_in.phase;
  return phase == DropInPhase::settling || (phase == DropInPhase::waiting && unit.drop_in.restarted);
}

std::string facts_of_fuse(const Unit& unit) {
  return fmt::format("{} {} {} {} {}", policy::kDropInPhaseNames.name(unit.drop_in.phase), unit.invocation_id,
                     unit.restarts, unit.active_state, unit.drop_in.applied_at);
}

bool may_restart(const settings::Service& service, std::chrono::system_clock::time_point now) {
  return service.restart == RestartWhen::now ||
         (service.restart == RestartWhen::window && settings::is_inside(service.windows, now));
}

bool wants_restart(const Unit& unit, const settings::Settings& settings,
                   std::chrono::system_clock::time_point now) {
  if (unit.assessment.state != State::pending_restart || unit.drop_in.phase != DropInPhase::waiting)
    return false;
  const auto* service = policy::find_service(settings, unit.name);
  return service != nullptr && may_restart(*service, now);
}

// What was enforced before may have to be taken away, so that also a configuration without it counts.
bool concerns_enforcement(const snapshot::Snapshot& snapshot, const settings::Settings& settings) {
  return snapshot.enforcer.applied_total > 0 ||
         std::ranges::any_of(settings.services, [&](const settings::Service& service) {
           return settings::effective_mode(settings, service) == settings::Mode::enforce;
         });
}

}  // namespace

std::vector<Wish> list_wishes(const snapshot::Snapshot& snapshot, const settings::Settings& settings,
                              std::chrono::system_clock::time_point now) {
  std::vector<Wish> wishes;
  if (concerns_enforcement(snapshot, settings))
    wishes.push_back({"", Cause::configuration, fmt::format("{}", snapshot.config.last_success_at)});
  for (const auto& unit : snapshot.units) {
    if (has_drifted(unit)) wishes.push_back({unit.name, Cause::drift, facts_of_drift(unit)});
    if (wants_fuse(unit)) wishes.push_back({unit.name, Cause::fuse, facts_of_fuse(unit)});
    if (wants_restart(unit, settings, now))
      wishes.push_back({unit.name, Cause::restart, facts_of_fuse(unit)});
  }
  return wishes;
}

void EnforcementTrigger::note(const Wish& wish, Time now) {
  const auto [at, is_new] = entries_.try_emplace({wish.unit, wish.cause});
  Entry& entry = at->second;
  entry.seen = now;
  if (!is_new && entry.facts == wish.facts) return;
  entry.facts = wish.facts;
  entry.wait = kFirstWait;
  entry.due = now;
}

bool EnforcementTrigger::decide(const std::vector<Wish>& wishes, Time now) {
  for (const Wish& wish : wishes) note(wish, now);
  std::erase_if(entries_, [&](const auto& entry) {
    return entry.second.seen != now && now - entry.second.seen > kRemembered;
  });
  const auto holds = [&](const auto& entry) { return entry.second.seen == now; };
  const bool is_due = std::ranges::any_of(
      entries_, [&](const auto& entry) { return holds(entry) && entry.second.due <= now; });
  const bool is_early = asked_ && now - *asked_ < kFirstWait;
  const bool asks = is_due && !is_early;
  next_.reset();
  if (asks) asked_ = now;
  for (auto& [key, entry] : entries_) {
    if (entry.seen != now) continue;
    if (asks && entry.due <= now) {
      // A configuration is handed over once; what comes of it shows as another wish.
      const bool is_once = key.second == Cause::configuration;
      entry.due = is_once ? Time::max() : now + entry.wait;
      entry.wait = std::min(entry.wait * 2, kLongestWait);
    }
    if (entry.due != Time::max()) next_ = next_ ? std::min(*next_, entry.due) : entry.due;
  }
  if (next_ && asked_) next_ = std::max(*next_, *asked_ + kFirstWait);
  return asks;
}

}  // namespace allocd::observer
