// SPDX-License-Identifier: Apache-2.0
// One run of the enforcer: carries requests out, restarts what the policy lets it, and stands by the fuse
// until no unit it reached is settling any more.
//
// The caller holds the lock. Each step leaves a state from which the next run goes on: a file is old or new
// as a whole, the manifest is written before the files and after them, and systemd is asked to read its files
// whenever what it has loaded is not what lies on disk. Blocking; single-threaded.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "enforcer/carry_out.hpp"
#include "enforcer/manifest.hpp"
#include "enforcer/request.hpp"
#include "enforcer/survey.hpp"
#include "enforcer/unit_watch.hpp"
#include "host/journal.hpp"
#include "host/root.hpp"
#include "host/systemd_control.hpp"
#include "preflight/canary.hpp"
#include "settings/settings.hpp"

namespace allocd::enforcer {

struct SessionOptions {
  std::string state_directory = kStateDirectory;
  std::string bus_address;
  std::string canary{preflight::kCanaryPath};
};

// Of the variables that the item sets: which text a unit started under, whatever else the file says.
[[nodiscard]] std::string digest_environment(const policy::PlanItem& item);

class Session {
 public:
  // `settings` must have been found trustworthy by the caller, and outlive the session.
  [[nodiscard]] static base::Result<std::unique_ptr<Session>> open(const host::Root& root,
                                                                   const settings::Settings& settings,
                                                                   SessionOptions options,
                                                                   preflight::CanaryRunner& runner,
                                                                   host::Journal& journal);

  // Never throws an item away for another's sake: the report says what became of each.
  [[nodiscard]] Report carry_out(const Request& request);

  // What `mode: enforce` asks for, at most kMostRuns times in kRunsWithin. False when something failed.
  [[nodiscard]] bool enforce();
  // Whether there is a drop-in that enforcement wrote.
  [[nodiscard]] bool has_enforced() const;

  // One look at every unit under the fuse: rolls back, settles, restarts what is due. True while there is one
  // to look at again soon.
  [[nodiscard]] bool look_after();
  // Whether something went wrong that no report tells of: a restart, a rollback, the manifest.
  [[nodiscard]] bool has_failed() const { return has_failed_; }
  // Waits for something to happen in systemd, `time` at most.
  void wait(std::chrono::milliseconds time) { watch_->follow(time); }

 private:
  Session(const host::Root& root, const settings::Settings& settings, SessionOptions options,
          preflight::CanaryRunner& runner, host::Journal& journal);
  void tidy();
  // Starts.
  void forget_other_boots();
  void keep_starts(const TargetRecord& target);
  void note_starts();
  void note_unread(const policy::Plan& plan);
  void note_loaded();
  [[nodiscard]] UnitRecord first_record(const TargetRecord& target, const std::string& name,
                                        const host::UnitFacts& facts) const;
  // Carrying out.
  void note_plan(const policy::Plan& plan, const Request& request);
  void tell_blocked(const policy::Plan& plan, const Request& request);
  void apply_items(policy::Plan& plan, const Survey& survey, Report& report);
  void apply_one(policy::PlanItem& item, const Survey& survey, Report& report);
  void note_target(const policy::PlanItem& item, const Survey& survey, const Request& request);
  void note_removal(TargetRecord& record, const policy::PlanItem& item, const Survey& survey,
                    const Request& request);
  void note_applied(const policy::PlanItem& item);
  [[nodiscard]] bool is_enforced_service(const std::string& name) const;
  void reload_if_needed(const policy::Plan& plan, Report& report);
  void reload(Report& report);
  [[nodiscard]] base::Result<void> reread();
  void arm(const policy::Plan& plan, const Report& report);
  void list_pending(const policy::Plan& plan, Report& report) const;
  void finish(const Request& request, const Report& report);
  [[nodiscard]] bool save();
  // Restarts.
  [[nodiscard]] bool may_restart(const settings::Service& service) const;
  void restart_due(Report* report);
  void for_each_unit(const std::function<void(TargetRecord&, const std::string&, UnitRecord&)>& call);
  // nullptr: systemd does not know it, or has no file for it.
  [[nodiscard]] const host::UnitFacts* find_loaded(const std::string& name) const;
  // The fuse.
  void look_at(TargetRecord& target, const std::string& name, const host::UnitFacts& facts, UnitRecord& unit);
  [[nodiscard]] bool may_await(const std::string& name, const host::UnitFacts& facts);
  void blow(TargetRecord& target, const std::string& name, const host::UnitFacts& facts, UnitRecord& unit);
  // What is still to be done: files that lie there, units that are down. True while it is to be tried again.
  bool finish_rollbacks();
  [[nodiscard]] bool owes_anything() const;
  void take_back_files();
  [[nodiscard]] bool take_files_back(const std::string& target, TargetRecord& record);
  enum class Owed { nothing, start, restart, later };
  [[nodiscard]] Owed decide_owed(const std::string& name, const UnitRecord& unit) const;
  void bring_back_units();
  void bring_back(const std::string& name, UnitRecord& unit, Owed owed);

  const host::Root& root_;
  const settings::Settings& settings_;
  SessionOptions options_;
  preflight::CanaryRunner& runner_;
  host::Journal& journal_;
  host::SystemdControl control_;
  std::unique_ptr<UnitWatch> watch_;
  Manifest manifest_;
  std::optional<Manifest> on_disk_;
  bool has_failed_ = false;
  int rollback_tries_ = 0;
  std::chrono::steady_clock::time_point next_rollback_try_;
  std::map<std::string, std::chrono::steady_clock::time_point> down_since_;  // of those we restarted
};

}  // namespace allocd::enforcer
