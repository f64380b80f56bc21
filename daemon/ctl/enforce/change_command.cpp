// SPDX-License-Identifier: Apache-2.0
#include "ctl/enforce/change_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "ctl/enforce/exchange.hpp"
#include "ctl/enforce/follow.hpp"
#include "ctl/enforce/planning.hpp"
#include "ctl/enforce/report_view.hpp"
#include "ctl/lines.hpp"
#include "ctl/terminal_text.hpp"
#include "policy/selection.hpp"

namespace allocd::ctl {

namespace {

using enforcer::Report;
using enforcer::Request;

std::string said(std::string_view text) {
  return fmt::format("allocctl: {}\n", printable(text, false));
}

Answer failed(const base::Fault& fault) {
  return {kFailure, "", said(fault.message())};
}

// What was typed, to be typed again with another verb.
std::string command_of(std::string_view verb, const CommandLine& line) {
  std::string command = fmt::format("sudo allocctl {}", verb);
  for (const auto& unit : line.units) command += " " + unit;
  if (line.all) command += " --all";
  if (line.retry) command += " --retry";
  if (line.force) command += " --force";
  return command;
}

std::string warnings_of(const Planned& planned) {
  std::string text;
  for (const auto& warning : planned.warnings) text += said("warning: " + warning);
  return text;
}

bool is_installed_configuration(const CommandLine& line) {
  const Places installed;
  return line.places.config_file == installed.config_file &&
         line.places.config_directory == installed.config_directory;
}

std::string next_step_of(const CommandLine& line) {
  if (!is_installed_configuration(line))
    return "allocctl apply follows the installed configuration, not this one.";
  return fmt::format("Run: {}", command_of(line.command == Command::revert ? "revert" : "apply", line));
}

Answer answer_plan(Planned& planned, const CommandLine& line, const RenderOptions& options) {
  planned.context.next_step = next_step_of(line);
  const bool differs = planned.plan.has_changes() || planned.plan.has_blocked();
  return {differs ? kDiffers : kDone,
          line.output == Output::json ? enforcer::render_plan(planned.plan)
                                      : render_plan_text(planned.plan, planned.context, options),
          warnings_of(planned)};
}

// ---- before ----------------------------------------------------------------------------------------------

std::string_view verb_of(const CommandLine& line) {
  return line.command == Command::revert ? "revert" : "apply";
}

Answer refuse_without_root(const CommandLine& line) {
  return {kNoPrivilege, "",
          said(fmt::format("{} changes unit files, which takes root", verb_of(line))) +
              said("try: " + command_of(verb_of(line), line))};
}

Answer refuse_without_answer(const CommandLine& line, std::string_view why) {
  return {
      kUsage, "",
      said(fmt::format("{}, so nothing was asked and nothing changed; --yes goes on without asking", why)) +
          said(fmt::format("try: {} --yes", command_of(verb_of(line), line)))};
}

// What a revert does not do by itself.
std::string describe_revert(const Planned& planned, const RenderOptions& options) {
  std::string out;
  const auto add = [&](std::string_view text) {
    add_prose(out, options, text, 0, Style::plain, Break::between_words);
  };
  for (const auto& item : planned.plan.items) {
    if (item.action != policy::Action::remove || item.units.empty()) continue;
    add(fmt::format("{} keep the malloc they have until they are restarted.", list_names(item.units)));
    const auto* service = policy::find_service(planned.settings, item.units.front());
    if (service != nullptr &&
        settings::effective_mode(planned.settings, *service) == settings::Mode::enforce) {
      add(
          fmt::format("Service {} is in mode: enforce. The revert holds until its policy or the library "
                      "changes, or until `allocctl apply {}`.",
                      service->name, item.target));
    }
  }
  return out;
}

bool is_anything_to_do(const Planned& planned) {
  return planned.plan.has_changes() || !planned.context.unread.empty();
}

// ---- after -----------------------------------------------------------------------------------------------

base::Result<int> follow(const host::Root& root, const CommandLine& line, const Planned& planned,
                         const Report& report, EnforcerService& service, const RenderOptions& options,
                         Dialogue& dialogue) {
  int code = kDone;
  auto units = units_to_follow(report, planned.settings);
  if (units.empty()) return code;
  const auto tell = [&](const FuseOutcome& outcome) {
    if (outcome.kind != FuseOutcome::Kind::settled) code = kFailure;
    const auto text = render_outcome(outcome, options);
    if (line.output == Output::json) return dialogue.warn(text);
    static_cast<void>(dialogue.show(text));
  };
  const auto followed = follow_units(root, line.places.state_directory, std::move(units), service, tell);
  if (!followed) return std::unexpected(followed.error());
  return code;
}

Answer answer_report(const Report& report, const Planned& planned, const CommandLine& line,
                     const RenderOptions& options) {
  return {exit_code_of(report),
          line.output == Output::json ? enforcer::render_report(report)
                                      : render_report_text(report, planned.settings, options),
          report.error.empty() ? "" : said(report.error)};
}

Answer carry_out(const CommandLine& line, Request request, const Planned& planned,
                 const RenderOptions& options, Dialogue& dialogue) {
  const auto root = host::Root::open();
  if (!root) return failed(root.error());
  auto id = make_request_id();
  if (!id) return failed(id.error());
  request.id = std::move(*id);
  auto service = open_enforcer_service(line.places.bus_address);
  if (!service) return failed(service.error());
  const enforcer::Mailbox mailbox(*root, line.places.run_directory);
  const auto report = ask_enforcer(mailbox, **service, request);
  if (!report) return failed(report.error());
  Answer answer = answer_report(*report, planned, line, options);
  if (!line.wait) return answer;
  if (!dialogue.show(std::exchange(answer.out, "")))
    return {kFailure, "", said("cannot write to standard output")};
  const auto followed = follow(*root, line, planned, *report, **service, options, dialogue);
  if (!followed) {
    answer.err += said(followed.error().message());
    answer.code = kFailure;
  } else if (*followed != kDone) {
    answer.code = *followed;
  }
  return answer;
}

}  // namespace

Answer run_plan(const CommandLine& line, const RenderOptions& options) {
  auto planned = make_plan(line, make_request(line));
  return planned ? answer_plan(*planned, line, options) : planned.error();
}

Answer run_change(const CommandLine& line, const RenderOptions& options, Dialogue& dialogue) {
  if (line.dry_run) return run_plan(line, options);
  const bool json = line.output == Output::json;
  if (json && !line.yes) return refuse_without_answer(line, "JSON leaves no room for a question");
  if (!is_installed_configuration(line)) {
    return {kUsage, "", said("the enforcer follows the installed configuration alone: --config is for plan")};
  }
  if (::geteuid() != 0) return refuse_without_root(line);
  const auto request = make_request(line);
  auto planned = make_plan(line, request);
  if (!planned) return planned.error();
  // With JSON the report alone is the answer; one of nothing to do is asked for all the same.
  if (!is_anything_to_do(*planned) && !json) {
    auto answer = answer_plan(*planned, line, options);
    answer.code = planned->plan.has_blocked() ? kDiffers : kDone;
    return answer;
  }
  dialogue.warn(warnings_of(*planned));
  if (!json) {
    auto text = render_plan_text(planned->plan, planned->context, options);
    text += describe_revert(*planned, options) + "\n";
    if (!dialogue.show(text)) return {kFailure, "", said("cannot write to standard output")};
  }
  if (!line.yes) {
    if (!dialogue.can_ask()) return refuse_without_answer(line, "there is no terminal to ask at");
    if (!dialogue.confirm(line.command == Command::revert ? "Revert?" : "Apply?"))
      return {kFailure, "", said("nothing was changed")};
  }
  return carry_out(line, request, *planned, options, dialogue);
}

}  // namespace allocd::ctl
