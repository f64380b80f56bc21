// SPDX-License-Identifier: Apache-2.0
// What a session owes after the fuse: drop-ins that are to go, and units that are to start without them.
// Noted before it is done, so that any later run goes on with it; tried again while this one lasts.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "enforcer/events.hpp"
#include "enforcer/fuse_watch.hpp"
#include "enforcer/session.hpp"
#include "policy/selection.hpp"

namespace allocd::enforcer {

namespace {

using policy::Action;

constexpr int kMostTries = 5;

bool has_files_to_take(const TargetRecord& target) {
  return !target.rolled_back.empty() && !target.paths.empty();
}

}  // namespace

bool Session::owes_anything() const {
  return std::ranges::any_of(manifest_.targets, [&](const auto& entry) {
    const auto& [target, record] = entry;
    return has_files_to_take(record) || std::ranges::any_of(record.units, [&](const auto& unit) {
             return unit.second.is_owed && decide_owed(unit.first, unit.second) != Owed::later;
           });
  });
}

bool Session::finish_rollbacks() {
  using std::chrono::seconds;
  if (!owes_anything()) return false;
  const auto now = std::chrono::steady_clock::now();
  if (rollback_tries_ >= kMostTries) return false;  // the next run goes on
  if (now < next_rollback_try_) return true;
  take_back_files();
  bring_back_units();
  (void)save();
  if (!owes_anything()) return rollback_tries_ = 0, false;
  has_failed_ = true;
  next_rollback_try_ = now + seconds(1 << rollback_tries_++);
  return rollback_tries_ < kMostTries;
}

void Session::take_back_files() {
  std::vector<TargetRecord*> taken_back;
  for (auto& [target, record] : manifest_.targets) {
    if (has_files_to_take(record) && take_files_back(target, record)) taken_back.push_back(&record);
  }
  if (taken_back.empty()) return;
  Report report;
  reload(report);
  // Started now, they would die of the drop-in that systemd still knows.
  if (!report.reloaded) return;
  if (auto again = reread(); !again) journal_.log(host::Priority::error, "", again.error().message(), {});
  for (auto* record : taken_back) record->paths.clear();
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
    item.reason = policy::PlanReason::rolled_back;
    item.sentence = record.rolled_back;
    if (error.empty()) continue;
    log_failed(journal_, item, error);
    return false;
  }
  return true;
}

// What died under it is started; what runs is restarted where the policy allows that, and else runs on.
Session::Owed Session::decide_owed(const std::string& name, const UnitRecord& unit) const {
  const auto* facts = find_loaded(name);
  if (facts == nullptr) return Owed::nothing;
  if (facts->active_state != "active") {
    const bool is_down = facts->active_state == "inactive" || facts->active_state == "failed";
    return is_down && was_stopped(*facts, facts->invocation_id) ? Owed::nothing : Owed::start;
  }
  // Somebody was faster.
  if (facts->invocation_id != unit.fuse.invocation) return Owed::nothing;
  const auto* service = policy::find_service(settings_, name);
  if (service == nullptr || service->restart == settings::RestartWhen::never) return Owed::nothing;
  return may_restart(*service) ? Owed::restart : Owed::later;
}

void Session::bring_back_units() {
  for_each_unit([&](TargetRecord& target, const std::string& name, UnitRecord& unit) {
    if (unit.is_owed && !has_files_to_take(target)) bring_back(name, unit, decide_owed(name, unit));
  });
}

void Session::bring_back(const std::string& name, UnitRecord& unit, Owed owed) {
  if (owed == Owed::nothing) unit.is_owed = false;
  if (owed == Owed::nothing || owed == Owed::later) return;
  (void)control_.reset_failed(name);  // so that a start limit does not refuse what comes next
  const auto started = owed == Owed::restart ? control_.restart(name) : control_.start(name);
  log_restarted(journal_, name, started ? "" : started.error().message());
  unit.is_owed = !started;
}

}  // namespace allocd::enforcer
