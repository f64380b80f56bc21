// SPDX-License-Identifier: Apache-2.0
// `allocctl drift UNIT`: what days of samples say of one unit, for somebody who was just woken up.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "ctl/drift_advice.hpp"
#include "ctl/drift_words.hpp"
#include "ctl/figures.hpp"
#include "ctl/lines.hpp"
#include "ctl/sparkline.hpp"
#include "ctl/summary.hpp"
#include "ctl/table.hpp"
#include "ctl/views.hpp"

namespace allocd::ctl {

namespace {

using drift::LimitKind;
using drift::Report;
using snapshot::Snapshot;
using snapshot::Unit;

constexpr std::size_t kLabelWidth = 13;  // "after warm-up"

// Rounded down: 100 % is all of it.
std::string percent_text(double share) {
  return fmt::format("{:.0f} %", std::floor(100 * share));
}

void fact(std::string& out, const RenderOptions& options, std::string_view label, std::string_view text,
          Style style = Style::plain) {
  if (!text.empty())
    add_labelled(out, options, {.label = label, .text = text, .label_width = kLabelWidth, .style = style});
}

std::string head_text(const Unit& unit) {
  return fmt::format("{}: {}", unit.name, unit.drift.known ? drift_verdict_text(unit.drift) : "no verdict");
}

std::string now_text(const Report& report) {
  if (!report.floor) return report.memory ? format_computed_bytes(*report.memory) + " at this moment" : "";
  auto text = fmt::format("{}, the lowest of the last 24 hours", format_computed_bytes(*report.floor));
  if (report.ceiling) text += fmt::format("; the highest was {}", format_computed_bytes(*report.ceiling));
  if (report.memory) text += fmt::format(", this moment {}", format_computed_bytes(*report.memory));
  return text;
}

std::string floor_text(const Report& report) {
  if (!report.slope) return "";
  const auto change = per_day_text(report.slope);
  auto text = change == "0"
                  ? std::string("stays where it is")
                  : fmt::format("{} by {} a day", *report.slope > 0 ? "rises" : "falls", change.substr(1));
  if (report.rising)
    text +=
        fmt::format("; {} of the hours are above the same hour a day before", percent_text(*report.rising));
  return text;
}

std::string_view limit_words(LimitKind kind) {
  switch (kind) {
    case LimitKind::cgroup:
      return "memory.max of its control group or of one above it";
    case LimitKind::node:
      return "what it holds and the machine has available, which others take from too";
    case LimitKind::none:
      break;
  }
  return "";
}

std::string limit_text(const Report& report, double taken_at) {
  if (report.limit_kind == LimitKind::none || !report.limit) return "none that could be read";
  auto text = fmt::format("{}, {}", format_computed_bytes(*report.limit), limit_words(report.limit_kind));
  if (!report.time_to_limit) {
    return report.slope && *report.slope <= 0 ? text + "; the floor does not rise towards it" : text;
  }
  if (*report.time_to_limit < 1) return text + "; it is met now";
  text += fmt::format("; met in {}", time_left_text(report.time_to_limit));
  constexpr double kYear = 365.25 * 86'400;
  if (*report.time_to_limit < kYear)
    text += fmt::format(" if it goes on, at {}", format_time(taken_at + *report.time_to_limit));
  return text;
}

std::string seen_text(const Report& report) {
  auto text = fmt::format("{} of this life", format_duration(report.window));
  if (report.life_started_at > 0)
    text += fmt::format(", which began at {}", format_time(report.life_started_at));
  const auto window = drift_window_text(report);
  return window.empty() ? text : fmt::format("{}; {}", text, window);
}

std::string lows_legend(const Report& report, bool utf8) {
  std::optional<double> lowest;
  std::optional<double> highest;
  bool has_gap = false;
  for (const auto& low : report.lows) {
    has_gap = has_gap || !low;
    if (!low) continue;
    lowest = std::min(lowest.value_or(*low), *low);
    highest = std::max(highest.value_or(*low), *low);
  }
  if (!lowest) return "";
  auto text =
      fmt::format("{} to {}, oldest first", format_computed_bytes(*lowest), format_computed_bytes(*highest));
  return has_gap ? fmt::format("{}; {} was not seen", text, absent_mark(utf8)) : text;
}

void add_lows(std::string& out, const Report& report, const RenderOptions& options) {
  constexpr std::size_t kMargin = 2 + kLabelWidth + 1;
  const std::size_t room = options.width > kMargin ? options.width - kMargin : 1;
  const auto legend = lows_legend(report, options.utf8);
  if (legend.empty()) return;
  // Not through fact(): in ASCII it is plain, and in UTF-8 every mark is one column wide.
  out += fmt::format("  {:<{}} {}\n", "lows", kLabelWidth, render_sparkline(report.lows, room, options.utf8));
  const bool is_squeezed = report.lows.size() > room;
  fact(out, options, "", (is_squeezed ? "" : "a mark for 6 hours, ") + legend);
}

// A rule that does not hold says less in a life that is too young for all of them.
std::string_view without_rule(const Report& report) {
  return is_too_young(report) ? "does not hold so far" : "does not hold";
}

void add_rules(std::string& out, const Report& report, const RenderOptions& options) {
  struct Rule {
    std::string_view name;
    bool holds;
    std::string_view words;
    Style style;
  };
  const std::array rules{
      Rule{"slow", report.slow, "each of the last two days raised the floor, hour by hour", Style::warning},
      Rule{"fast", report.fast,
           "four hourly lows rose in a row, the first of them above every low of the day before",
           Style::warning},
      Rule{"exhaustion", report.exhaustion, "the last two hours lead past the limit within four more",
           Style::bad}};
  add_heading(out, options, "Rules");
  for (const auto& rule : rules) {
    if (rule.holds) {
      fact(out, options, rule.name, fmt::format("holds: {}", rule.words), rule.style);
    } else if (rule.name == "slow" && is_too_young(report)) {
      fact(out, options, rule.name, fmt::format("cannot be told yet: {}", drift_window_text(report)));
    } else {
      fact(out, options, rule.name, without_rule(report));
    }
  }
}

std::string peak_text(const Report& report) {
  if (!report.at_peak) return "";
  if (*report.at_peak >= 1) return "RSS was at its peak in every sample of the last 24 hours";
  return fmt::format("RSS was at its peak in {} of the samples of the last 24 hours",
                     percent_text(*report.at_peak));
}

std::string falls_text(const Report& report) {
  constexpr double kNothing = 0.01;
  if (!report.falls) return "";
  if (*report.falls < kNothing) return "nothing comes back when load falls";
  return fmt::format("{} of its highest comes back when load falls", percent_text(*report.falls));
}

std::string kind_text(const Report& report) {
  switch (report.kind) {
    case drift::Kind::unknown:
      return is_drifting(report) ? "unknown: ten days of drift tell more" : "";
    case drift::Kind::linear:
      return "linear so far: the second half of its life grew about as much as the first";
    case drift::Kind::slowing:
      return "slowing: the second half of its life grew less than the first";
  }
  return "";
}

void add_signs(std::string& out, const Unit& unit, const RenderOptions& options) {
  std::string signs;
  fact(signs, options, "peak", peak_text(unit.drift));
  fact(signs, options, "falls", falls_text(unit.drift));
  if (const auto heaps = glibc_heaps_of(unit)) {
    fact(signs, options, "arenas",
         fmt::format("{}{}", count_of(*heaps, "glibc heap", "glibc heaps"),
                     *heaps > 0 ? ", of 64 MiB at most each" : ""));
  }
  const auto active = active_text(summarise(unit).active);
  if (active != "-") fact(signs, options, "allocator", active + ", by processes");
  fact(signs, options, "growth", kind_text(unit.drift));
  if (signs.empty()) return;
  add_heading(out, options, "Signs of memory that was freed and is kept");
  out += signs;
  if (is_drifting(unit.drift)) {
    add_prose(out, options,
              "Signs, not proof: from outside, memory that the program never frees and memory that the "
              "allocator keeps look alike.",
              2);
  }
}

void add_roles(std::string& out, const Report& report, const RenderOptions& options) {
  if (report.roles.empty()) return;
  Table table({{.title = "ROLE"},
               {.title = "NOW", .align = Align::right},
               {.title = "FLOOR", .align = Align::right},
               {.title = "PER DAY", .align = Align::right}});
  for (const auto& role : report.roles) {
    table.add_row({{std::string(engine::kRoleNames.name(role.role))},
                   {computed_bytes_or_dash(role.memory)},
                   {computed_bytes_or_dash(role.floor)},
                   {per_day_text(role.slope)}});
  }
  add_heading(out, options, "Roles");
  out += table.render(options, 2);
}

std::string lives_text(const Report& report) {
  if (!report.lives_growth_per_second) return "Fewer than three of them tell a growth: too few for a median.";
  const auto growth = per_day_text(report.lives_growth_per_second);
  if (!is_hidden_by_restarts(report))
    return fmt::format("Median of the growth within them: {} a day.", growth);
  return fmt::format("The floor grew by {} a day within them (the median). Each restart hides it.",
                     growth.substr(1));
}

void add_lives(std::string& out, const Report& report, const RenderOptions& options) {
  if (report.lives.empty()) return;
  Table table({{.title = "STARTED"},
               {.title = "LIVED", .align = Align::right},
               {.title = "WARM", .align = Align::right},
               {.title = "LAST FLOOR", .align = Align::right},
               {.title = "PER DAY", .align = Align::right}});
  for (const auto& life : report.lives) {
    table.add_row({{format_time(life.started_at)},
                   {format_duration(life.ended_at - life.started_at)},
                   {computed_bytes_or_dash(life.warm_floor)},
                   {computed_bytes_or_dash(life.last_floor)},
                   {per_day_text(life.growth_per_second)}});
  }
  add_heading(out, options, "Ended lives");
  out += table.render(options, 2);
  add_prose(out, options, lives_text(report), 2,
            is_hidden_by_restarts(report) ? Style::warning : Style::plain);
}

// allocd may have come later than the unit.
std::string warm_text(const Report& report, double taken_at) {
  constexpr double kWarmUntil = 30.0 * 3600;
  if (report.warm_floor)
    return fmt::format("{}, the lowest between the 6th and the 30th hour of its life",
                       format_computed_bytes(*report.warm_floor));
  const bool is_past = report.life_started_at > 0 && taken_at - report.life_started_at > kWarmUntil;
  return is_past ? "not known: it was not seen between the 6th and the 30th hour of its life"
                 : "not known yet";
}

void add_figures(std::string& out, const Report& report, double taken_at, const RenderOptions& options) {
  fact(out, options, "after warm-up", warm_text(report, taken_at));
  fact(out, options, "quietest now", now_text(report));
  fact(out, options, "the floor", floor_text(report));
  fact(out, options, "limit", limit_text(report, taken_at));
  fact(out, options, "seen", seen_text(report));
  add_lows(out, report, options);
}

void add_advice(std::string& out, const Unit& unit, const RenderOptions& options) {
  const auto advice = drift_advice_for(unit);
  add_heading(out, options, "What to do");
  add_prose(out, options, advice.action, 2);
  for (const auto& command : advice.commands) add_prose(out, options, command, 4);
  if (!advice.runbook.empty()) add_prose(out, options, "Runbook: " + advice.runbook, 2);
}

}  // namespace

std::string render_drift_unit(const Snapshot& snapshot, const Unit& unit, const RenderOptions& options) {
  const auto& report = unit.drift;
  std::string out;
  add_prose(out, options, head_text(unit), 0, report.known ? style_of(report.state) : Style::plain);
  add_prose(out, options, drift_advice_for(unit).meaning, 2);
  if (report.known) {
    out += "\n";
    add_figures(out, report, snapshot.taken_at, options);
    add_rules(out, report, options);
    add_signs(out, unit, options);
    add_roles(out, report, options);
  }
  add_lives(out, report, options);
  add_advice(out, unit, options);
  return out;
}

}  // namespace allocd::ctl
