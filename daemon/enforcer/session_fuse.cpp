// SPDX-License-Identifier: Apache-2.0
// The second half of a session: restarts, and the fuse that stands behind them.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "enforcer/events.hpp"
#include "enforcer/fuse_watch.hpp"
#include "enforcer/journal_lines.hpp"
#include "enforcer/session.hpp"
#include "kernel/system.hpp"
#include "policy/selection.hpp"
#include "settings/window.hpp"

namespace allocd::enforcer {

namespace {

using policy::Action;
using policy::FusePhase;

bool has_ended(FusePhase phase) {
  return phase == FusePhase::settled || phase == FusePhase::rolled_back;
}

bool is_down(const host::UnitFacts& facts) {
  return facts.active_state == "inactive" || facts.active_state == "failed";
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
    // Latched and taken back: what still runs under it is nobody's care. Just blown: others of the template
    // may have died with it.
    if (facts == nullptr || (!target.rolled_back.empty() && target.paths.empty())) return;
    const auto before = unit;
    look_at(target, name, *facts, unit);
    has_news = has_news || unit != before;
    const bool is_awaited = unit.fuse.phase == FusePhase::waiting && unit.restarted_by_us;
    is_busy = is_busy || unit.fuse.phase == FusePhase::settling || is_awaited;
  });
  if (!has_news) return is_busy;
  (void)save();
  finish_rollbacks();
  restart_due(nullptr);
  return true;
}

void Session::look_at(TargetRecord& target, const std::string& name, const host::UnitFacts& facts,
                      UnitRecord& unit) {
  const auto* service = policy::find_service(settings_, name);
  const auto settle = service == nullptr ? settings::Service{}.settle : service->settle;
  const auto before = unit.fuse;
  const auto view = add_health(view_of(facts), before, service, settle);
  unit.fuse = policy::decide_fuse(before, view, {settle}, kernel::realtime_now());
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
                   const UnitRecord& unit) {
  constexpr std::size_t kLines = 20;
  if (!target.rolled_back.empty()) return;  // by another unit of the template
  target.rolled_back = fmt::format("{}: {}", name, unit.fuse.why);
  target.rolled_back_at = kernel::realtime_now();
  target.journal = read_journal_lines(name, target.applied_at, kLines);
  // The latch is on what is there now: a library replaced since the drop-in was written has failed as well.
  if (const auto* service = policy::find_service(settings_, name); service != nullptr)
    target.digest = read_digest(root_, *service, facts.root_directory);
  ++manifest_.rolled_back_total;
}

// Those latched whose files still lie there: just blown, or by a run that was killed before it was done.
void Session::finish_rollbacks() {
  std::vector<std::string> taken_back;
  for (auto& [target, record] : manifest_.targets) {
    if (record.rolled_back.empty() || record.paths.empty()) continue;
    if (take_files_back(target, record)) taken_back.push_back(target);
  }
  if (taken_back.empty()) return;
  Report report;
  reload(report);
  // Started now, they would die of the drop-in that systemd still knows: the next run goes on from here.
  if (!report.reloaded) {
    has_failed_ = true;
    (void)save();
    return;
  }
  if (auto again = reread(); !again) journal_.log(host::Priority::error, "", again.error().message(), {});
  for (const auto& target : taken_back) {
    auto& record = manifest_.targets[target];
    bring_back(record);
    record.paths.clear();
  }
  (void)save();
}

bool Session::take_files_back(const std::string& target, TargetRecord& record) {
  auto files = read_owned_files(root_);
  std::erase_if(
      files, [&](const policy::OwnedFile& file) { return std::ranges::count(record.paths, file.path) == 0; });
  auto plan = policy::decide_revert(files, {.version = ALLOCD_VERSION, .take_tampered = false});
  manifest_.reload_needed = manifest_.reload_needed || !plan.items.empty();
  (void)save();
  for (auto& item : plan.items) {
    item.target = target;
    const bool is_ours = item.action == Action::remove;
    const std::string error = is_ours ? apply_item(root_, item, record.made_directories) : item.sentence;
    item.sentence = record.rolled_back;
    if (error.empty()) continue;
    log_failed(journal_, item, error);
    has_failed_ = true;
    return false;
  }
  return true;
}

// Started again without the drop-in: what died under it. What runs, runs on.
void Session::bring_back(const TargetRecord& record) {
  for (const auto& [name, unit] : record.units) {
    const auto* facts = find_loaded(name);
    if (facts == nullptr || unit.fuse.phase != FusePhase::rolled_back) continue;
    log_rolled_back(journal_, name, record);
    const auto* service = policy::find_service(settings_, name);
    (void)control_.reset_failed(name);  // so that a start limit does not refuse what comes next
    const bool runs = facts->active_state == "active";
    const bool is_another_start = facts->invocation_id != unit.fuse.invocation;
    const bool is_left_alone = service == nullptr || service->restart == settings::RestartWhen::never;
    if (runs && (is_another_start || is_left_alone)) continue;
    const auto started = runs ? control_.restart(name) : control_.start(name);
    log_restarted(journal_, name, started ? "" : started.error().message());
    has_failed_ = has_failed_ || !started;
  }
}

}  // namespace allocd::enforcer
