// SPDX-License-Identifier: Apache-2.0
#include "ctl/drift_advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/shell_word.hpp"
#include "ctl/drift_words.hpp"
#include "ctl/figures.hpp"

namespace allocd::ctl {

namespace {

using drift::Report;
using drift::State;
using snapshot::Unit;

std::string command(std::string_view words, const Unit& unit) {
  return fmt::format("{} {}", words, base::as_shell_word(unit.name));
}

// Of the alerts in config/prometheus.
std::string runbook(std::string_view alert) {
  return fmt::format("docs/runbooks/{}.md", alert);
}

bool uses_glibc(const Unit& unit) {
  return std::ranges::any_of(unit.roles,
                             [](const auto& role) { return role.active.contains(allocator::Kind::glibc); });
}

// A cgroup without a unit of its own has nothing that systemctl could restart.
bool is_unit(const Unit& unit) {
  return unit.source != settings::SelectorKind::cgroup;
}

DriftAdvice of_exhaustion(const Unit& unit) {
  const auto& report = unit.drift;
  std::string room = report.limit_kind == drift::LimitKind::node ? "or end something else on this machine"
                                                                 : "or raise the limit for now (MemoryMax=)";
  DriftAdvice advice{"The last two hours lead to its limit within four more. At the limit the kernel kills.",
                     fmt::format("Make room before then: restart it while that can be chosen, {}. {}", room,
                                 report.warm_floor ? fmt::format("After its last start it held {}.",
                                                                 format_computed_bytes(*report.warm_floor))
                                                   : "What it holds after a start is not known."),
                     {command("allocctl show", unit)},
                     runbook("AllocdMemoryExhaustionSoon")};
  if (is_unit(unit)) advice.commands.push_back(command("systemctl restart", unit));
  return advice;
}

DriftAdvice of_drift(const Unit& unit) {
  const auto& report = unit.drift;
  DriftAdvice advice{
      report.slow ? "What it holds at its quietest rises day by day and does not come back."
                  : "What it holds at its quietest has left the range of the day before, within hours.",
      report.time_to_limit
          ? fmt::format("Nothing in this minute. Plan a restart within {}, and find out what grows.",
                        time_left_text(report.time_to_limit))
          : "Nothing in this minute. Find out what grows.",
      {command("allocctl show", unit)},
      runbook(report.slow ? "AllocdMemoryDriftSlow" : "AllocdMemoryDriftFast")};
  if (uses_glibc(unit) && is_unit(unit)) {
    advice.action +=
        " With glibc, a trial under another allocator tells kept memory from memory that the "
        "program holds: plan shows what would change.";
    advice.commands.push_back(command("allocctl plan", unit));
  }
  return advice;
}

std::string look_again(const Report& report) {
  constexpr double kHour = 3600;
  const double left = report.needed - report.window;
  if (!(left > 0)) return "Look again when more of it was seen.";
  return fmt::format("Look again in {}, when every rule can speak.", format_duration(std::max(left, kHour)));
}

DriftAdvice of_young(const Unit& unit) {
  const auto& report = unit.drift;
  DriftAdvice advice{report.state == State::warming
                         ? fmt::format("There is no verdict yet, {}.", drift_window_text(report))
                         : fmt::format("No rule holds so far, {}.", drift_window_text(report)),
                     look_again(report),
                     {},
                     ""};
  if (is_hidden_by_restarts(report)) {
    advice.meaning += " But its ended lives grew: it is restarted before a verdict is possible.";
    advice.action = "Let it live for once until every rule can speak, or treat it as drift now.";
    advice.commands.push_back(command("allocctl show", unit));
    advice.runbook = runbook("AllocdMemoryGrowthHiddenByRestarts");
  }
  return advice;
}

DriftAdvice without_verdict(const Unit& unit) {
  if (!unit.up) {
    DriftAdvice advice{"The unit has no process. What is known is of its ended lives.",
                       "Nothing, if that is meant.",
                       {},
                       ""};
    if (is_unit(unit)) advice.commands.push_back(command("systemctl status", unit));
    if (unit.drift.lives.empty()) advice.meaning = "The unit has no process, and no life of it is known.";
    return advice;
  }
  return {"The memory of its processes could not be read, or was not read yet.",
          "Wait for the next sample. If it stays so, this says why:",
          {command("allocctl explain", unit)},
          ""};
}

}  // namespace

DriftAdvice drift_advice_for(const Unit& unit) {
  const auto& report = unit.drift;
  if (!report.known) return without_verdict(unit);
  switch (report.state) {
    case State::exhaustion:
      return of_exhaustion(unit);
    case State::drift:
      return of_drift(unit);
    case State::watch:
      return {"The floor rose over the last day: a step, or the beginning of drift.",
              "Look again tomorrow: a second such day is drift.",
              {command("allocctl drift", unit)},
              ""};
    case State::warming:
      return of_young(unit);
    case State::normal:
      break;
  }
  if (is_too_young(report)) return of_young(unit);
  return {"No rule holds: what it holds at its quietest did not rise two days in a row.", "Nothing.", {}, ""};
}

}  // namespace allocd::ctl
