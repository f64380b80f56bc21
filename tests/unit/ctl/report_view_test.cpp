// SPDX-License-Identifier: Apache-2.0
// What became of a request, and what is asked of the operator next.
#include "ctl/enforce/report_view.hpp"

#include <string>

#include "base/text.hpp"
#include "ctl/enforce/change_command.hpp"
#include "ctl/enforce/planning.hpp"
#include "ctl/enforce/reload_command.hpp"
#include "ctl/terminal_text.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"

using namespace allocd;
using namespace allocd::ctl;
using enforcer::ItemReport;
using enforcer::Report;
using policy::Action;
using policy::PlanReason;

namespace {

settings::Service service(const std::string& name, settings::RestartWhen restart) {
  settings::Service made;
  made.name = name;
  made.selectors = {{settings::SelectorKind::unit, name + ".service", {}}};
  made.allocator = settings::Wanted::jemalloc;
  made.restart = restart;
  return made;
}

settings::Settings sample_settings() {
  settings::Settings settings;
  settings.services = {
      service("hand", settings::RestartWhen::never), service("now", settings::RestartWhen::now),
      service("queue", settings::RestartWhen::now), service("night", settings::RestartWhen::window)};
  return settings;
}

ItemReport done(const std::string& target, Action action, PlanReason reason, std::string error = "") {
  ItemReport made;
  made.item.target = target;
  made.item.action = action;
  made.item.reason = reason;
  made.item.sentence = "why it is so";
  made.error = std::move(error);
  return made;
}

Report sample_report() {
  Report report;
  report.request.verb = enforcer::Verb::apply;
  report.items = {
      done("hand.service", Action::write, PlanReason::to_apply),
      done("gone.service", Action::remove, PlanReason::to_revert),
      done("own.service", Action::keep, PlanReason::yields),
      done("tgi.service", Action::blocked, PlanReason::static_program),
      done("full.service", Action::write, PlanReason::to_apply,
           "cannot write /etc/systemd/system/full.service.d/zz-allocd.conf: No space left on device")};
  report.reloaded = true;
  report.restarted = {"now.service"};
  report.pending = {"hand.service", "night.service", "queue.service"};
  return report;
}

}  // namespace

TEST_CASE("a report of everything") {
  test::check_golden("unit/ctl/golden/report.txt",
                     render_report_text(sample_report(), sample_settings(), {}));
}

TEST_CASE("a unit that waits for its window is told when that opens") {
  Report report;
  report.items = {done("night.service", Action::write, PlanReason::to_apply)};
  report.pending = {"night.service"};
  auto settings = sample_settings();
  settings.services[3].windows = {*settings::parse_window("Sat 02:00..05:00 UTC"),
                                  *settings::parse_window("Wed 23:00..01:00 UTC")};
  RenderOptions options;
  options.width = 200;
  options.now = 1'760'000'000;  // Thursday 2025-10-09T08:53:20Z
  CHECK(render_report_text(report, settings, options)
            .find("when the policy's window opens: night.service (2025-10-11T02:00:00Z).\n") !=
        std::string::npos);
}

TEST_CASE("a reload that failed leads on") {
  auto report = sample_report();
  report.reloaded = false;
  report.reload_error = "cannot have systemd do Reload: Connection timed out";
  const auto text = render_report_text(report, sample_settings(), {});
  CHECK(text.find("Connection timed out") != std::string::npos);
  CHECK(text.find("`systemctl daemon-reload`") != std::string::npos);
  CHECK(exit_code_of(report) == kFailure);
}

TEST_CASE("exit codes of a report: failed before blocked before done") {
  Report report;
  CHECK(exit_code_of(report) == kDone);
  CHECK(render_report_text(report, {}, {}) == "Nothing was to be done any more.\n");
  report.items = {done("a.service", Action::write, PlanReason::to_apply)};
  CHECK(exit_code_of(report) == kDone);
  report.items.push_back(done("b.service", Action::blocked, PlanReason::tampered));
  CHECK(exit_code_of(report) == kDiffers);
  report.items.push_back(done("c.service", Action::remove, PlanReason::no_policy, "no"));
  CHECK(exit_code_of(report) == kFailure);
  CHECK(exit_code_of({.request = {}, .error = "nothing went"}) == kFailure);
}

TEST_CASE("only what allocd restarts now is followed") {
  CHECK(units_to_follow(sample_report(), sample_settings()) ==
        std::vector<std::string>{"now.service", "queue.service"});
}

TEST_CASE("a rollback shows the unit's own last lines, made harmless") {
  const FuseOutcome outcome{
      "a.service", FuseOutcome::Kind::rolled_back, "it failed", {"Traceback:", "  \x1B[2Jboom"}};
  CHECK(render_outcome(outcome, {}) == "a.service: rolled back: it failed\n  Traceback:\n    \\x1b[2Jboom\n");
  CHECK(render_outcome({"a.service", FuseOutcome::Kind::settled, "", {}}, {}) == "a.service: settled\n");
}

TEST_CASE("a command line becomes a request") {
  CommandLine line;
  line.command = Command::apply;
  line.units = {"vllm", "vllm@.service", "web.container", "a.b"};
  line.retry = true;
  const auto request = make_request(line);
  CHECK(request.verb == enforcer::Verb::apply);
  CHECK(request.units == std::vector<std::string>{"vllm.service", "vllm@.service", "web.container", "a.b"});
  CHECK(request.retry);
  CHECK_FALSE(request.force);
  line.command = Command::revert;
  CHECK(make_request(line).verb == enforcer::Verb::revert);
  line.command = Command::plan;
  CHECK(make_request(line).verb == enforcer::Verb::apply);
}

TEST_CASE("a reload has ended when a sample says so that is newer than the signal") {
  snapshot::Snapshot before;
  before.sequence = 10;
  before.config.last_success_at = 100;
  auto now = before;
  CHECK_FALSE(decide_reload(before, now));
  now.sequence = 20;
  CHECK_FALSE(decide_reload(before, now));
  now.config.last_success_at = 101;
  CHECK(decide_reload(before, now) == true);

  now = before;
  now.config.last_reload_successful = false;
  now.config.error = "x.yaml:1:1: unknown key";
  CHECK(decide_reload(before, now) == false);

  // It had failed before in the same way: only a later sample tells.
  before = now;
  CHECK_FALSE(decide_reload(before, now));
  now.sequence = before.sequence + 1;
  CHECK_FALSE(decide_reload(before, now));
  now.sequence = before.sequence + 2;
  CHECK(decide_reload(before, now) == false);
  now.config.error = "another";
  now.sequence = before.sequence;
  CHECK(decide_reload(before, now) == false);
}
