// SPDX-License-Identifier: Apache-2.0
#include "enforcer/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "enforcer/events.hpp"
#include "enforcer/fuse_watch.hpp"
#include "host/drop_in.hpp"
#include "host/owned_file.hpp"
#include "kernel/system.hpp"
#include "policy/selection.hpp"

namespace allocd::enforcer {

namespace {

using policy::Action;
using policy::FusePhase;
using policy::PlanItem;

bool is_change(const PlanItem& item) {
  return item.action == Action::write || item.action == Action::remove;
}

bool is_loaded(const host::UnitFacts& facts, const std::string& path) {
  return std::ranges::count(facts.drop_in_paths, path) > 0;
}

// Whether systemd's view of the unit is not what lies on disk.
bool is_unread(const host::UnitFacts& facts, const PlanItem& item) {
  if (item.action == Action::blocked || item.owned_paths.empty()) return false;
  if (facts.need_daemon_reload) return true;
  return std::ranges::any_of(item.owned_paths, [&](const std::string& path) {
    const bool is_drop_in = path.ends_with(host::kDropInName) && !host::is_quadlet_path(path);
    return is_drop_in && !is_loaded(facts, path);
  });
}

// Whether somebody changed files of a unit that we look after and did not have systemd read them.
bool has_unread_files(const Survey& survey) {
  return std::ranges::any_of(survey.inputs, [&](const policy::UnitInput& input) {
    const auto facts = survey.units.find(input.name);
    return facts != survey.units.end() && facts->second.need_daemon_reload;
  });
}

bool item_failed(const Report& report, const PlanItem& item) {
  return std::ranges::any_of(report.items, [&](const ItemReport& done) {
    return done.item.target == item.target && !done.error.empty();
  });
}

std::string digest_of(const PlanItem& item, const Survey& survey) {
  if (item.units.empty()) return "";
  const auto digest = survey.digests.find(item.units.front());
  return digest == survey.digests.end() ? "" : digest->second;
}

}  // namespace

Session::Session(const host::Root& root, const settings::Settings& settings, SessionOptions options,
                 preflight::CanaryRunner& runner, host::Journal& journal)
    : root_(root),
      settings_(settings),
      options_(std::move(options)),
      runner_(runner),
      journal_(journal),
      control_({.address = options_.bus_address}) {
}

base::Result<std::unique_ptr<Session>> Session::open(const host::Root& root,
                                                     const settings::Settings& settings,
                                                     SessionOptions options, preflight::CanaryRunner& runner,
                                                     host::Journal& journal) {
  std::unique_ptr<Session> session(new Session(root, settings, std::move(options), runner, journal));
  auto watch = UnitWatch::open(session->options_.bus_address);
  if (!watch) return std::unexpected(watch.error());
  session->watch_ = std::move(*watch);
  std::string moved_to;
  auto manifest = take_manifest(root, session->options_.state_directory, moved_to);
  if (!manifest) return std::unexpected(manifest.error());
  session->manifest_ = std::move(*manifest);
  if (root.exists(fmt::format("{}/{}", session->options_.state_directory, kManifestName)))
    session->on_disk_ = session->manifest_;
  if (!moved_to.empty())
    journal.log(host::Priority::warning, "", "the manifest could not be understood and is now " + moved_to,
                {});
  session->forget_other_boots();
  if (auto read = session->reread(); !read) return std::unexpected(read.error());
  session->note_starts();
  session->tidy();
  return session;
}

// What a run that was killed left half done.
void Session::tidy() {
  for (auto& [target, record] : manifest_.targets) {
    for (const auto& path : record.paths)
      (void)host::remove_leftovers(root_, path.substr(0, path.rfind('/')));
    // Noted before systemd was asked for it: perhaps it never was. One that is stopping has been.
    for (auto& [name, unit] : record.units) {
      const auto* facts = find_loaded(name);
      const bool is_as_before = facts == nullptr || (facts->active_state == "active" &&
                                                     facts->invocation_id == unit.fuse.invocation);
      if (unit.fuse.phase == FusePhase::waiting && is_as_before) unit.restarted_by_us = false;
    }
    for (const auto& directory : record.made_directories) {
      (void)host::apply_remove(root_, fmt::format("{}/{}", directory, host::kDropInName), {},
                               host::EmptyDirectory::remove_if_empty);
    }
  }
  // A drop-in that is not there has no fuse.
  std::erase_if(manifest_.targets, [&](const auto& entry) {
    const auto& record = entry.second;
    const bool is_gone =
        record.rolled_back.empty() &&
        std::ranges::none_of(record.paths, [&](const auto& path) { return root_.exists(path); });
    if (is_gone) keep_starts(record);
    return is_gone;
  });
}

// ---- carrying out ----------------------------------------------------------------------------------------

Report Session::carry_out(const Request& request) {
  Report report{.request = request,
                .items = {},
                .reloaded = false,
                .reload_error = {},
                .restarted = {},
                .pending = {},
                .error = {}};
  const auto give_up = [&](const base::Fault& fault) {
    report.error = fault.message();
    (void)reread();  // for the units that settle
    finish(request, report);
    return report;
  };
  auto survey = take_survey(root_, settings_, *watch_, control_, manifest_, request);
  if (!survey) return give_up(survey.error());
  auto plan = decide_request(*survey, manifest_, request);
  if (plan && plan->has_changes() && has_unread_files(*survey)) {
    // Our own reload would bring them: what is written must win over them as well.
    reload(report);
    survey = take_survey(root_, settings_, *watch_, control_, manifest_, request);
    if (!survey) return give_up(survey.error());
    plan = decide_request(*survey, manifest_, request);
  }
  if (!plan) return give_up(plan.error());
  preflight::Preflight preflight(root_, runner_, {.canary = options_.canary});
  check_items(*plan, *survey, preflight);
  note_plan(*plan, request);
  tell_blocked(*plan, request);
  apply_items(*plan, *survey, report);
  reload_if_needed(*plan, report);
  if (auto again = reread(); !again && report.error.empty()) report.error = again.error().message();
  arm(*plan, report);
  finish_rollbacks();
  restart_due(&report);
  list_pending(*plan, report);
  // Where nothing is enforced, the run that follows each request has nothing to say of it.
  if (request.verb != Verb::reconcile || !plan->items.empty()) {
    finish(request, report);
  } else {
    (void)save();
  }
  return report;
}

bool Session::has_enforced() const {
  return std::ranges::any_of(manifest_.targets, [](const auto& entry) { return entry.second.automatic; });
}

bool Session::enforce() {
  // Two that undo each other's work (a configuration manager and we) must not do so all day.
  constexpr std::size_t kMostRuns = 60;
  constexpr double kRunsWithin = 600;
  auto& runs = manifest_.automatic_runs;
  const double now = kernel::realtime_now();
  std::erase_if(runs, [&](double at) { return at > now || now - at > kRunsWithin; });
  if (runs.size() >= kMostRuns) {
    log_refused(journal_, fmt::format("{} runs in the last {:.0f} minutes; something undoes what they do",
                                      runs.size(), kRunsWithin / 60));
    return false;
  }
  const Report report = carry_out({});
  const bool has_changed =
      std::ranges::any_of(report.items, [](const ItemReport& done) { return is_change(done.item); });
  if (has_changed) {
    runs.push_back(now);
    (void)save();
  }
  return report.error.empty() && report.reload_error.empty() &&
         std::ranges::all_of(report.items, [](const ItemReport& done) { return done.error.empty(); });
}

// Once for each reason, not once for each run.
void Session::tell_blocked(const policy::Plan& plan, const Request& request) {
  const bool is_whole = request.units.empty() && request.verb != Verb::revert;
  auto told = std::exchange(manifest_.blocked, {});
  for (const auto& item : plan.items) {
    const auto before = told.extract(item.target);
    if (item.action != Action::blocked) continue;
    auto why = base::escape_for_terminal(
        fmt::format("{}: {}", policy::kPlanReasonNames.name(item.reason), item.sentence));
    if (before.empty() || before.mapped() != why) log_blocked(journal_, item);
    manifest_.blocked.emplace(item.target, std::move(why));
  }
  if (!is_whole) manifest_.blocked.merge(told);
}

// The run that follows each request where nothing is enforced has no plan.
void Session::note_plan(const policy::Plan& plan, const Request& request) {
  const bool is_empty = request.verb == Verb::reconcile && plan.items.empty();
  if (!request.units.empty() || request.verb == Verb::revert || is_empty) return;
  const auto is_blocked = [](const PlanItem& item) { return item.action == Action::blocked; };
  const auto count = [&](const auto& is_counted) {
    return static_cast<std::uint32_t>(std::ranges::count_if(plan.items, is_counted));
  };
  manifest_.last_plan = {kernel::realtime_now(), count(is_change), count(is_blocked)};
}

void Session::apply_items(policy::Plan& plan, const Survey& survey, Report& report) {
  for (auto& item : plan.items) {
    const bool is_named = std::ranges::count(report.request.units, item.target) > 0;
    if (is_change(item)) {
      apply_one(item, survey, report);
    } else if (item.action == Action::blocked || is_named) {
      report.items.push_back({item, ""});
    }
  }
}

void Session::apply_one(PlanItem& item, const Survey& survey, Report& report) {
  const auto targets_before = manifest_.targets;
  const bool reload_was_needed = std::exchange(manifest_.reload_needed, true);
  note_target(item, survey, report.request);
  // Without the record there would be no fuse; a removal, which may be what frees a full disk's host, needs
  // none.
  const bool is_recorded = save() || item.action == Action::remove;
  std::string error = is_recorded ? apply_item(root_, item, manifest_.targets[item.target].made_directories)
                                  : std::string("what is to be remembered of it cannot be written");
  if (error.empty()) {
    log_applied(journal_, item);
    note_applied(item);
  } else {
    log_failed(journal_, item, error);
    manifest_.targets = targets_before;
    manifest_.reload_needed = reload_was_needed;
  }
  report.items.push_back({item, std::move(error)});
}

// Before the files: a run killed in between leaves a record that the next one finds and goes on from.
void Session::note_target(const PlanItem& item, const Survey& survey, const Request& request) {
  auto& record = manifest_.targets[item.target];
  for (auto& directory : list_missing_directories(root_, item))
    record.made_directories.push_back(std::move(directory));
  keep_starts(record);
  if (item.action == Action::remove) {
    note_removal(record, item, survey, request);
    return;
  }
  record.service = item.service;
  record.paths = item.owned_paths;
  record.automatic = request.verb == Verb::reconcile || is_enforced_service(item.service);
  record.applied_at = kernel::realtime_now();
  record.loaded_at = kNotLoaded;
  record.environment = digest_environment(item);
  record.digest = digest_of(item, survey);
  record.rolled_back.clear();
  record.journal.clear();
  record.units.clear();
}

void Session::note_applied(const PlanItem& item) {
  if (item.action == Action::write) {
    ++manifest_.applied_total;
    return;
  }
  ++manifest_.reverted_total;
  auto& record = manifest_.targets[item.target];
  record.paths.clear();
  if (record.rolled_back.empty()) manifest_.targets.erase(item.target);
}

// What is enforced and taken away by hand is latched, or enforcement would put it back at once.
void Session::note_removal(TargetRecord& record, const PlanItem& item, const Survey& survey,
                           const Request& request) {
  const auto* service = item.units.empty() ? nullptr : policy::find_service(settings_, item.units.front());
  if (service != nullptr) record.service = service->name;
  if (request.verb != Verb::revert || !is_enforced_service(record.service)) return;
  record.digest = digest_of(item, survey);
  record.rolled_back = kRevertedByHand;
  record.rolled_back_at = kernel::realtime_now();
  record.journal.clear();
  record.units.clear();
}

bool Session::is_enforced_service(const std::string& name) const {
  const auto service = std::ranges::find(settings_.services, name, &settings::Service::name);
  return service != settings_.services.end() &&
         settings::effective_mode(settings_, *service) == settings::Mode::enforce;
}

void Session::reload_if_needed(const policy::Plan& plan, Report& report) {
  const bool is_stale = std::ranges::any_of(plan.items, [&](const PlanItem& item) {
    return !item_failed(report, item) && std::ranges::any_of(item.units, [&](const std::string& name) {
      const auto facts = watch_->units().find(name);
      return facts != watch_->units().end() && facts->second.load_state == "loaded" &&
             is_unread(facts->second, item);
    });
  });
  note_unread(plan);
  if (manifest_.reload_needed || is_stale) reload(report);
}

void Session::reload(Report& report) {
  const auto done = control_.reload();
  report.reloaded = done.has_value();
  manifest_.reload_needed = !done;
  if (done) return note_loaded();
  report.reload_error = done.error().message();
  log_reload_failed(journal_, report.reload_error);
}

base::Result<void> Session::reread() {
  auto selection = policy::select_units(settings_);
  for (const auto& [target, record] : manifest_.targets) {
    for (const auto& [unit, unused] : record.units) selection.names.push_back(unit);
  }
  for (const auto& [unit, unused] : manifest_.starts) selection.names.push_back(unit);
  return watch_->read(selection, kReadLimit);
}

// Units that systemd has just given their drop-in; those armed already keep what they remember. One whose
// drop-in was not written, or not read, would be restarted and blamed for nothing.
void Session::arm(const policy::Plan& plan, const Report& report) {
  for (const auto& item : plan.items) {
    const auto record = manifest_.targets.find(item.target);
    if (record == manifest_.targets.end() || !record->second.rolled_back.empty()) continue;
    if (item.action == Action::remove || item.action == Action::blocked || item.owned_paths.empty()) continue;
    if (item_failed(report, item)) continue;
    if (record->second.environment.empty()) record->second.environment = digest_environment(item);
    for (const auto& unit : item.units) {
      const auto facts = watch_->units().find(unit);
      if (facts == watch_->units().end() || is_unread(facts->second, item)) continue;
      record->second.units.try_emplace(unit, first_record(record->second, unit, facts->second));
    }
  }
}

void Session::list_pending(const policy::Plan& plan, Report& report) const {
  for (const auto& item : plan.items) {
    const auto record = manifest_.targets.find(item.target);
    if (record == manifest_.targets.end()) continue;
    for (const auto& [unit, state] : record->second.units) {
      const auto facts = watch_->units().find(unit);
      const bool is_running = facts != watch_->units().end() && facts->second.active_state == "active";
      const bool is_waiting = state.fuse.phase == FusePhase::waiting && !state.restarted_by_us;
      if (is_running && (state.is_owed || is_waiting)) report.pending.push_back(unit);
    }
  }
}

void Session::finish(const Request& request, const Report& report) {
  LastRun& run = manifest_.last_run;
  run = {.at = kernel::realtime_now(),
         .verb = std::string(kVerbNames.name(request.verb)),
         .success = true,
         .error = report.error.empty() ? report.reload_error : report.error,
         .changed = 0,
         .blocked = 0};
  for (const auto& [item, error] : report.items) {
    if (run.error.empty()) run.error = error;
    if (error.empty() && is_change(item)) ++run.changed;
    if (item.action == Action::blocked) ++run.blocked;
  }
  run.success = run.error.empty();
  (void)save();
}

bool Session::save() {
  if (on_disk_ == manifest_) return true;
  const auto saved = write_manifest(root_, options_.state_directory, manifest_);
  if (saved) {
    on_disk_ = manifest_;
    return true;
  }
  on_disk_.reset();
  journal_.log(host::Priority::error, "", saved.error().message(), {});
  has_failed_ = true;
  return false;
}

}  // namespace allocd::enforcer
