// SPDX-License-Identifier: Apache-2.0
// What a session restarts, and the fuse that stands behind it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "enforcer/digest.hpp"
#include "enforcer/events.hpp"
#include "enforcer/fuse_watch.hpp"
#include "enforcer/journal_lines.hpp"
#include "enforcer/session.hpp"
#include "kernel/system.hpp"
#include "policy/selection.hpp"
#include "settings/window.hpp"

namespace allocd::enforcer {

namespace {

using policy::FusePhase;

bool has_ended(FusePhase phase) {
  return phase == FusePhase::settled || phase == FusePhase::rolled_back;
}

bool is_down(const host::UnitFacts& facts) {
  return facts.active_state == "inactive" || facts.active_state == "failed";
}

// Once a drop-in is taken back, only those count that were started under it: they may die of it yet.
bool is_watched(const TargetRecord& target, const UnitRecord& unit, const host::UnitFacts& facts) {
  const bool is_taken_back = !target.rolled_back.empty() && target.paths.empty();
  return !is_taken_back ||
         (unit.fuse.phase == FusePhase::settling && facts.invocation_id == unit.fuse.invocation);
}

}  // namespace

// ---- restarts --------------------------------------------------------------------------------------------

bool Session::may_restart(const settings::Service& service) const {
  if (service.restart == settings::RestartWhen::now) return true;
  return service.restart == settings::RestartWhen::window &&
         settings::is_inside(service.windows, std::chrono::system_clock::now());
}

const host::UnitFacts* Session::find_loaded(const std::string& name) const {
  const auto facts = watch_->units().find(name);
  return facts != watch_->units().end() && facts->second.load_state == "loaded" ? &facts->second : nullptr;
}

void Session::restart_due(Report* report) {
  std::size_t in_progress = 0;
  for_each_unit([&](TargetRecord& target, const std::string& name, UnitRecord& unit) {
    const bool counts = unit.restarted_by_us && !has_ended(unit.fuse.phase) && target.rolled_back.empty();
    if (counts && find_loaded(name) != nullptr) ++in_progress;
  });
  for_each_unit([&](TargetRecord& target, const std::string& name, UnitRecord& unit) {
    if (in_progress >= settings_.max_concurrent_restarts || unit.restarted_by_us) return;
    if (unit.fuse.phase != FusePhase::waiting || !target.rolled_back.empty()) return;
    const auto* facts = find_loaded(name);
    const auto* service = policy::find_service(settings_, name);
    // One that is down takes the drop-in up with its next start, whenever that is.
    if (facts == nullptr || facts->active_state != "active" || service == nullptr) return;
    if (facts->invocation_id != unit.fuse.invocation || !may_restart(*service)) return;
    unit.restarted_by_us = true;
    if (!save()) {
      unit.restarted_by_us = false;  // nobody would remember to watch it
      return;
    }
    const auto restarted = control_.restart(name);
    log_restarted(journal_, name, restarted ? "" : restarted.error().message());
    if (!restarted) {
      unit.restarted_by_us = false;  // the next run tries again
      has_failed_ = true;
      return;
    }
    ++in_progress;
    ++manifest_.restarts_total;
    if (report != nullptr) report->restarted.push_back(name);
  });
  (void)save();
}

void Session::for_each_unit(const std::function<void(TargetRecord&, const std::string&, UnitRecord&)>& call) {
  for (auto& [target, record] : manifest_.targets) {
    for (auto& [name, unit] : record.units) call(record, name, unit);
  }
}

// ---- the fuse --------------------------------------------------------------------------------------------

bool Session::look_after() {
  bool is_busy = false;
  bool has_news = false;
  for_each_unit([&](TargetRecord& target, const std::string& name, UnitRecord& unit) {
    // A unit whose file is gone says nothing about the preload any more, and nobody waits for it.
    const auto* facts = find_loaded(name);
    if (facts == nullptr || !is_watched(target, unit, *facts)) return;
    const auto before = unit;
    look_at(target, name, *facts, unit);
    has_news = has_news || unit != before;
    const bool is_awaited = unit.fuse.phase == FusePhase::waiting && unit.restarted_by_us;
    is_busy = is_busy || unit.fuse.phase == FusePhase::settling || is_awaited;
  });
  if (has_news) (void)save();
  is_busy = finish_rollbacks() || is_busy;
  if (has_news) restart_due(nullptr);
  return is_busy || has_news;
}

void Session::look_at(TargetRecord& target, const std::string& name, const host::UnitFacts& facts,
                      UnitRecord& unit) {
  const auto* service = policy::find_service(settings_, name);
  const auto settle = service == nullptr ? settings::Service{}.settle : service->settle;
  const auto before = unit.fuse;
  const double now = kernel::monotonic_now();
  const auto view = add_health(view_of(facts, before), before, service, settle, now);
  unit.fuse = policy::decide_fuse(before, view, {settle}, now);
  if (unit.fuse.phase == FusePhase::settled && before.phase != FusePhase::settled)
    log_settled(journal_, name);
  // Stopped before it had settled: whoever starts it next, it is not our restart any more.
  if (unit.fuse.phase == FusePhase::waiting &&
      (before.phase == FusePhase::settling || !may_await(name, facts)))
    unit.restarted_by_us = false;
  if (unit.fuse.phase == FusePhase::rolled_back && before.phase != FusePhase::rolled_back)
    blow(target, name, facts, unit);
}

// Between stop and start a unit is down for a moment; one that stays down was stopped by somebody else, and
// TryRestartUnit leaves it so.
bool Session::may_await(const std::string& name, const host::UnitFacts& facts) {
  constexpr std::chrono::seconds kMoment{10};
  const auto now = std::chrono::steady_clock::now();
  if (!is_down(facts)) {
    down_since_.erase(name);
    return true;
  }
  const auto since = down_since_.try_emplace(name, now).first->second;
  return now - since < kMoment;
}

void Session::blow(TargetRecord& target, const std::string& name, const host::UnitFacts& facts,
                   UnitRecord& unit) {
  constexpr std::size_t kLines = 20;
  unit.is_owed = true;
  if (!target.rolled_back.empty()) return log_rolled_back(journal_, name, target);  // by another unit first
  target.rolled_back = fmt::format("{}: {}", name, unit.fuse.why);
  target.rolled_back_at = kernel::realtime_now();
  target.journal = read_journal_lines(name, target.applied_at, kLines);
  // The latch is on what is there now: a library replaced since the drop-in was written has failed as well.
  if (const auto* service = policy::find_service(settings_, name); service != nullptr)
    target.digest = read_digest(root_, *service, facts.root_directory).text;
  ++manifest_.rolled_back_total;
  log_rolled_back(journal_, name, target);
}

}  // namespace allocd::enforcer
