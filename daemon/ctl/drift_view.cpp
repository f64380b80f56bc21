// SPDX-License-Identifier: Apache-2.0
// `allocctl drift`: every unit in one table.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/shell_word.hpp"
#include "ctl/drift_words.hpp"
#include "ctl/figures.hpp"
#include "ctl/lines.hpp"
#include "ctl/sparkline.hpp"
#include "ctl/table.hpp"
#include "ctl/terminal_text.hpp"
#include "ctl/views.hpp"

namespace allocd::ctl {

namespace {

using snapshot::Snapshot;
using snapshot::Unit;

// "7 units: 1 exhaustion, 1 drift, 1 watch, 2 normal, 1 warming, 1 without verdict", the worst first.
std::string states_text(const Snapshot& snapshot) {
  std::array<std::uint64_t, drift::kStateNames.names.size()> counts{};
  std::uint64_t without = 0;
  for (const auto& unit : snapshot.units)
    ++(unit.drift.known ? counts.at(static_cast<std::size_t>(unit.drift.state)) : without);
  using enum drift::State;
  auto text = count_of(snapshot.units.size(), "unit", "units");
  std::string_view before = ": ";
  const auto add = [&](std::uint64_t count, std::string_view what) {
    if (count == 0) return;
    text += fmt::format("{}{} {}", before, count, what);
    before = ", ";
  };
  for (const auto state : {exhaustion, drift, watch, normal, warming})
    add(counts.at(static_cast<std::size_t>(state)), drift::kStateNames.name(state));
  add(without, "without verdict");
  return text;
}

Style worst_style(const Snapshot& snapshot) {
  const auto has = [&](drift::State state) {
    return std::ranges::any_of(
        snapshot.units, [&](const Unit& unit) { return unit.drift.known && unit.drift.state == state; });
  };
  for (const auto state : {drift::State::exhaustion, drift::State::drift, drift::State::watch})
    if (has(state)) return style_of(state);
  return Style::plain;
}

// What the columns do not say.
std::string note_of(const Unit& unit) {
  const auto& report = unit.drift;
  if (!report.known && report.lives.empty())
    return unit.up ? "no verdict: allocd has no figures of it yet" : "";
  if (is_drifting(report)) {
    const auto rules = drift_rules_text(report);
    return fmt::format("{}{}allocctl drift {}", rules, rules.empty() ? "" : ": ",
                       base::as_shell_word(unit.name));
  }
  auto text = drift_window_text(report);
  if (report.known && report.state == drift::State::normal && !text.empty())
    text = "no rule holds so far, " + text;
  if (is_hidden_by_restarts(report)) {
    text += fmt::format("{}{} a day within its last {}: restarts hide it", text.empty() ? "" : "; ",
                        per_day_text(report.lives_growth_per_second),
                        count_of(report.lives.size(), "life", "lives"));
  }
  return text;
}

std::vector<Column> columns() {
  return {{.title = "UNIT", .cut = Cut::middle},       {.title = "STATE"},
          {.title = "WARM", .align = Align::right},    {.title = "FLOOR", .align = Align::right},
          {.title = "PER DAY", .align = Align::right}, {.title = "LIMIT IN", .align = Align::right},
          {.title = "SEEN", .align = Align::right}};
}

std::vector<Cell> cells_of(const Unit& unit) {
  const auto& report = unit.drift;
  if (!report.known) return {{unit.name}, {"-", Style::faint}, {"-"}, {"-"}, {"-"}, {"-"}, {"-"}};
  const bool is_urgent = report.state == drift::State::exhaustion;
  return {{unit.name},
          {std::string(drift_state_text(report)), style_of(report.state)},
          {computed_bytes_or_dash(report.warm_floor)},
          {computed_bytes_or_dash(report.floor)},
          {per_day_text(report.slope)},
          {time_left_text(report.time_to_limit), is_urgent ? Style::bad : Style::plain},
          {format_duration(report.window)}};
}

// The columns left for lows beside all others at their full width.
std::size_t room_for_lows(const std::vector<std::vector<Cell>>& rows, const RenderOptions& options) {
  constexpr std::size_t kGap = 2;
  std::size_t used = 0;
  const auto titles = columns();
  for (std::size_t i = 0; i < titles.size(); ++i) {
    std::size_t widest = display_width(titles[i].title);
    for (const auto& row : rows)
      widest = std::max(widest, display_width(printable(row[i].text, options.utf8)));
    used += widest + kGap;
  }
  return options.width - std::min(options.width, used);
}

}  // namespace

std::string render_drift(const Snapshot& snapshot, const RenderOptions& options) {
  std::string out;
  if (snapshot.units.empty()) {
    add_prose(out, options, "No unit: none is configured, or no loaded unit runs an engine known to allocd.");
    return out;
  }
  std::vector<std::vector<Cell>> rows;
  rows.reserve(snapshot.units.size());
  for (const auto& unit : snapshot.units) rows.push_back(cells_of(unit));
  constexpr std::size_t kFewestLows = 8;
  constexpr std::size_t kMostLows = 28;  // a week
  const std::size_t lows = std::min(room_for_lows(rows, options), kMostLows);
  auto titles = columns();
  if (lows >= kFewestLows) titles.push_back({.title = "LOWS"});
  Table table(std::move(titles));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& unit = snapshot.units[i];
    if (lows >= kFewestLows) {
      rows[i].push_back({unit.drift.known ? render_sparkline(unit.drift.lows, lows, options.utf8) : ""});
    }
    table.add_row(std::move(rows[i]));
    if (auto note = note_of(unit); !note.empty()) table.add_note(std::move(note));
  }
  add_prose(out, options, states_text(snapshot), 0, worst_style(snapshot));
  return out + "\n" + table.render(options);
}

}  // namespace allocd::ctl
