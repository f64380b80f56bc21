// SPDX-License-Identifier: Apache-2.0
#include "ctl/enforce/report_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "ctl/enforce/plan_view.hpp"
#include "ctl/figures.hpp"
#include "ctl/lines.hpp"
#include "ctl/terminal_text.hpp"
#include "policy/selection.hpp"
#include "settings/window.hpp"

namespace allocd::ctl {

namespace {

using enforcer::ItemReport;
using enforcer::Report;
using policy::Action;
using settings::RestartWhen;

void add_line(std::string& out, const RenderOptions& options, std::string_view text,
              Style style = Style::plain, std::size_t indent = 0) {
  add_prose(out, options, text, indent, style, Break::between_words);
}

void add_item(std::string& out, const ItemReport& done, const RenderOptions& options) {
  const auto& item = done.item;
  if (!done.error.empty())
    return add_line(out, options, fmt::format("{}: failed: {}", item.target, done.error), Style::bad);
  switch (item.action) {
    case Action::write:
      return add_line(out, options, fmt::format("{}: written", item.target), Style::good);
    case Action::remove:
      return add_line(out, options, fmt::format("{}: removed", item.target), Style::good);
    case Action::blocked:
      add_line(out, options,
               fmt::format("{}: blocked: {}", item.target, policy::kPlanReasonNames.name(item.reason)),
               Style::warning);
      return add_line(out, options, item.sentence, Style::plain, 2);
    case Action::keep:
      return add_line(
          out, options,
          fmt::format("{}: nothing to do: {}", item.target, policy::kPlanReasonNames.name(item.reason)));
  }
}

void add_reload(std::string& out, const Report& report, const RenderOptions& options) {
  if (!report.reload_error.empty()) {
    add_line(out, options,
             fmt::format("systemd has not read its unit files again: {}. `systemctl daemon-reload` tries "
                         "again; until then nothing of this reaches a unit.",
                         report.reload_error),
             Style::bad);
  } else if (report.reloaded) {
    add_line(out, options, "systemd has read its unit files again.");
  }
}

RestartWhen restart_of(const settings::Settings& settings, const std::string& unit) {
  const auto* service = policy::find_service(settings, unit);
  return service == nullptr ? RestartWhen::never : service->restart;
}

std::vector<std::string> pending_with(const Report& report, const settings::Settings& settings,
                                      RestartWhen when) {
  std::vector<std::string> units;
  std::ranges::copy_if(report.pending, std::back_inserter(units),
                       [&](const std::string& unit) { return restart_of(settings, unit) == when; });
  return units;
}

// " (2025-10-11T02:00:00Z)"; nothing where no opening is known.
std::string describe_opening(const settings::Settings& settings, const std::string& unit, double now) {
  using namespace std::chrono;
  const auto* service = policy::find_service(settings, unit);
  if (service == nullptr) return "";
  const settings::SystemTime from{floor<system_clock::duration>(duration<double>(now))};
  const auto opening = settings::next_opening(service->windows, from);
  if (!opening) return "";
  return fmt::format(" ({})", format_time(duration<double>(opening->time_since_epoch()).count()));
}

void add_pending(std::string& out, const Report& report, const settings::Settings& settings,
                 const RenderOptions& options) {
  if (const auto units = pending_with(report, settings, RestartWhen::now); !units.empty())
    add_line(out, options, fmt::format("Restarted next, in turn: {}.", list_names(units)));
  if (auto units = pending_with(report, settings, RestartWhen::window); !units.empty()) {
    for (auto& unit : units) unit += describe_opening(settings, unit, options.now);
    add_line(out, options,
             fmt::format("Restarted by allocd when the policy's window opens: {}.", list_names(units)));
  }
  const auto units = pending_with(report, settings, RestartWhen::never);
  if (units.empty()) return;
  add_line(out, options, "Still running with what they were started with; when each may be interrupted:");
  for (const auto& unit : units)
    add_line(out, options, fmt::format("systemctl restart {}", unit), Style::heading, 2);
}

std::chrono::milliseconds longest_settle(const Report& report, const settings::Settings& settings) {
  std::chrono::milliseconds longest{0};
  for (const auto& units : {report.restarted, report.pending}) {
    for (const auto& unit : units) {
      const auto* service = policy::find_service(settings, unit);
      longest = std::max(longest, service == nullptr ? settings::Service{}.settle : service->settle);
    }
  }
  return longest;
}

void add_fuse(std::string& out, const Report& report, const settings::Settings& settings,
              const RenderOptions& options) {
  const auto settle = longest_settle(report, settings);
  if (settle.count() == 0 || report.request.verb != enforcer::Verb::apply) return;
  add_line(out, options,
           fmt::format("A unit that fails or restarts within {} of its first start under the drop-in loses "
                       "it again and is brought back without it.",
                       format_duration(std::chrono::duration<double>(settle).count())));
}

}  // namespace

std::string render_report_text(const Report& report, const settings::Settings& settings,
                               const RenderOptions& options) {
  std::string out;
  for (const auto& done : report.items) add_item(out, done, options);
  if (report.items.empty() && report.error.empty())
    add_line(out, options, "Nothing was to be done any more.");
  add_reload(out, report, options);
  if (!report.restarted.empty())
    add_line(out, options, fmt::format("Restarted: {}.", list_names(report.restarted)));
  add_pending(out, report, settings, options);
  add_fuse(out, report, settings, options);
  return out;
}

std::string render_outcome(const FuseOutcome& outcome, const RenderOptions& options) {
  std::string out;
  switch (outcome.kind) {
    case FuseOutcome::Kind::settled:
      add_line(out, options, fmt::format("{}: settled", outcome.unit), Style::good);
      break;
    case FuseOutcome::Kind::forgotten:
      add_line(out, options, fmt::format("{}: its drop-in was taken away meanwhile", outcome.unit),
               Style::warning);
      break;
    case FuseOutcome::Kind::rolled_back:
      add_line(out, options, fmt::format("{}: rolled back: {}", outcome.unit, outcome.why), Style::bad);
      for (const auto& line : outcome.journal)
        out.append("  ").append(paint(options, Style::faint, printable(line, options.utf8))).append("\n");
      break;
  }
  return out;
}

ExitCode exit_code_of(const Report& report) {
  const bool failed =
      !report.error.empty() || !report.reload_error.empty() ||
      std::ranges::any_of(report.items, [](const ItemReport& done) { return !done.error.empty(); });
  if (failed) return kFailure;
  const bool blocked = std::ranges::any_of(
      report.items, [](const ItemReport& done) { return done.item.action == Action::blocked; });
  return blocked ? kDiffers : kDone;
}

std::vector<std::string> units_to_follow(const Report& report, const settings::Settings& settings) {
  auto units = report.restarted;
  for (auto& unit : pending_with(report, settings, RestartWhen::now)) units.push_back(std::move(unit));
  return units;
}

}  // namespace allocd::ctl
