// SPDX-License-Identifier: Apache-2.0
#include "observer/enforcement_trigger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "enforcer/request.hpp"
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

// The library must be known: one that this user cannot read would seem to have changed for ever.
bool has_open_latch(const Unit& unit, const Grounds& grounds) {
  return unit.mode == settings::Mode::enforce && unit.assessment.state == State::rolled_back &&
         unit.load_state == "loaded" && !grounds.latched.empty() && !grounds.policy.empty() &&
         grounds.policy != grounds.latched;
}

// All that a plan depends on, as far as it can be seen. Without anything that a restart loop changes.
std::string facts_of_drift(const Unit& unit, const Grounds& grounds, double configured_at) {
  std::string facts =
      fmt::format("{} {} {} {} {} {} {} {}", policy::kDropInStateNames.name(unit.drop_in.state),
                  unit.drop_in.loaded, unit.drop_in.applied_at, unit.need_daemon_reload, configured_at,
                  grounds.files, grounds.policy, fmt::join(unit.drop_in_paths, " "));
  for (const auto& variable : unit.environment.variables)
    facts += fmt::format(" {}={}", variable.name, variable.is_set ? variable.value : "");
  for (const auto& doubt : unit.environment.doubts) facts += " " + doubt;
  return facts;
}

double looked_at(const snapshot::Enforcer& enforcer) {
  const bool is_look = enforcer.known && enforcer.last_run_success &&
                       enforcer.last_run_verb == enforcer::kVerbNames.name(enforcer::Verb::reconcile);
  return is_look ? enforcer.last_run_at : 0;
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
                              const GroundsByUnit& grounds, std::chrono::system_clock::time_point now) {
  std::vector<Wish> wishes;
  if (concerns_enforcement(snapshot, settings))
    wishes.push_back({"", Cause::configuration, fmt::format("{}", snapshot.config.last_success_at)});
  const auto add = [&](const Unit& unit, Cause cause, std::string facts, double looked_at = 0) {
    wishes.push_back({unit.name, cause, std::move(facts), looked_at});
  };
  const double looked = looked_at(snapshot.enforcer);
  for (const auto& unit : snapshot.units) {
    const auto found = grounds.find(unit.name);
    const Grounds ground = found == grounds.end() ? Grounds{} : found->second;
    const bool has_latch = has_open_latch(unit, ground);
    if (has_latch || has_drifted(unit)) {
      add(unit, has_latch ? Cause::latch : Cause::drift,
          facts_of_drift(unit, ground, snapshot.config.last_success_at), looked);
    }
    if (wants_fuse(unit)) add(unit, Cause::fuse, facts_of_fuse(unit));
    if (wants_restart(unit, settings, now)) add(unit, Cause::restart, facts_of_fuse(unit));
  }
  return wishes;
}

void EnforcementTrigger::note(const Wish& wish, Time now) {
  const auto [at, is_new] = entries_.try_emplace({wish.unit, wish.cause});
  Entry& entry = at->second;
  entry.seen = now;
  if (!is_new && entry.facts == wish.facts) {
    entry.is_left = wish.looked_at > entry.looked_at;
    return;
  }
  entry = {.facts = wish.facts,
           .wait = kFirstWait,
           .due = now,
           .seen = now,
           .looked_at = wish.looked_at,
           .is_left = false};
}

void EnforcementTrigger::wait_on(Entry& entry, Cause cause, Time now) {
  if (entry.is_left) entry.wait = std::max(entry.wait, kLongestWait);
  // A configuration is handed over once; what comes of it shows as another wish.
  entry.due = cause == Cause::configuration ? Time::max() : now + entry.wait;
  entry.wait = std::min(entry.wait * 2, entry.is_left ? kLongestWaitIfLeft : kLongestWait);
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
    if (asks && entry.due <= now) wait_on(entry, key.second, now);
    if (entry.due != Time::max()) next_ = next_ ? std::min(*next_, entry.due) : entry.due;
  }
  if (next_ && asked_) next_ = std::max(*next_, *asked_ + kFirstWait);
  return asks;
}

}  // namespace allocd::observer
