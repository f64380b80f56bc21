// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "base/shell_word.hpp"
#include "base/text.hpp"
#include "ctl/drift_words.hpp"
#include "ctl/figures.hpp"
#include "ctl/lines.hpp"
#include "ctl/node_words.hpp"
#include "ctl/summary.hpp"
#include "ctl/table.hpp"
#include "ctl/terminal_text.hpp"
#include "ctl/views.hpp"

namespace allocd::ctl {

namespace {

using snapshot::Snapshot;
using snapshot::Unit;

void add_header_line(std::string& out, const RenderOptions& options, std::string_view label,
                     std::string_view text, Style style = Style::plain) {
  add_labelled(out, options, {.label = label, .text = text, .indent = 0, .label_width = 10, .style = style});
}

void add_config(std::string& out, const RenderOptions& options, const snapshot::ConfigState& config) {
  if (config.last_reload_successful) {
    const auto files = config.built_in_discovery
                           ? "no service configured: units that run a known engine are observed"
                           : fmt::format("ok, {}", count_of(config.files.size(), "file", "files"));
    return add_header_line(out, options, "config", files);
  }
  add_header_line(
      out, options, "config",
      fmt::format("REJECTED: the settings of {} ({} ago) are still in force",
                  format_time(config.last_success_at), format_duration(options.now - config.last_success_at)),
      Style::bad);
  for (std::string_view left = config.error; !left.empty();) {
    // Cut, not wrapped: the caret of a problem stands under a column of the line before it.
    const auto line =
        cut_end(printable(base::take_line(left), options.utf8), options.width - 2, options.utf8);
    out.append("  ").append(line).append("\n");
  }
}

void add_bus(std::string& out, const RenderOptions& options, const snapshot::BusSummary& bus) {
  if (bus.connected) return add_header_line(out, options, "systemd", "connected");
  const auto why = bus.last_error.empty() ? std::string("no error was told") : bus.last_error;
  add_header_line(out, options, "systemd",
                  fmt::format("NOT CONNECTED: {}; its view of the units is the last one known", why),
                  Style::bad);
}

void add_unread(std::string& out, const RenderOptions& options, const NodeSummary& node) {
  std::string text = count_of(node.unreadable, "process", "processes");
  if (node.pending > 0) text += fmt::format(", {} not looked at yet or without an answer", node.pending);
  if (node.dropped > 0) text += fmt::format(", {} over the limit of a unit", node.dropped);
  const bool worth_a_look = node.unreadable + node.dropped > 0;
  add_header_line(out, options, "unreadable", text, worth_a_look ? Style::warning : Style::plain);
}

std::string states_text(const NodeSummary& node, std::size_t units) {
  std::string text = std::to_string(units);
  for (const auto& [state, count] : node.states) {
    text += fmt::format("{} {} {}", text.find(':') == std::string::npos ? ":" : ",", count,
                        policy::kStateNames.name(state));
  }
  return text;
}

// Only when there is something to look at.
void add_machine(std::string& out, const RenderOptions& options, const snapshot::Node& node) {
  if (!node.known) return;
  const auto verdict = node_verdict(node);
  if (verdict.style != Style::bad && verdict.style != Style::warning) return;
  add_header_line(out, options, "node", fmt::format("{}: allocctl node", verdict.text), verdict.style);
}

void add_header(std::string& out, const Snapshot& snapshot, const RenderOptions& options) {
  const bool stale = is_stale(snapshot, options.now);
  if (stale) {
    add_prose(out, options, fmt::format("STALE: {}", stale_text(snapshot, options.now)), 0, Style::bad);
  }
  const auto node = summarise(snapshot);
  add_header_line(out, options, "allocd",
                  fmt::format("{} on {}, up {}", snapshot.version, snapshot.hostname,
                              format_duration(options.now - snapshot.started_at)));
  add_header_line(out, options, "sample",
                  fmt::format("{} old, every {}", format_duration(sample_age(snapshot, options.now)),
                              format_duration(snapshot.interval)),
                  stale ? Style::bad : Style::plain);
  add_config(out, options, snapshot.config);
  add_bus(out, options, snapshot.bus);
  add_unread(out, options, node);
  add_header_line(out, options, "units", states_text(node, snapshot.units.size()));
  add_machine(out, options, snapshot.node);
}

// Room for the list of allocators beside columns that are never cut and a name of readable length.
constexpr std::size_t kMostForAllocators = 22;

struct UnitLine {
  std::vector<Cell> cells;
  std::string note;
  std::string drift_note;
};

UnitLine unit_line(const Unit& unit, const RenderOptions& options) {
  const auto sum = summarise(unit);
  const auto state = policy::kStateNames.name(unit.assessment.state);
  const auto reason = policy::kReasonNames.name(unit.assessment.reason);
  const double since = running_since(unit);
  auto allocators = active_text(sum.active);
  std::string note = unit.assessment.reason == policy::Reason::none ? "" : std::string(reason);
  if (allocators.size() > kMostForAllocators) {
    note += fmt::format("{}{}", note.empty() ? "" : ": ", allocators);
    allocators = "mixed";
  }
  const bool any = sum.processes > 0;
  return {{{unit.name},
           {std::string(state), style_of(unit.assessment.state)},
           {allocators},
           {any ? std::to_string(sum.processes) : "-"},
           {any ? format_bytes(sum.resident) : "-"},
           {any ? format_bytes(sum.anonymous) : "-"},
           {unit.up && since > 0 ? format_duration(options.now - since) : "-"}},
          note,
          drift_note(unit.drift)};
}

}  // namespace

std::string render_status(const Snapshot& snapshot, const RenderOptions& options) {
  std::string out;
  add_header(out, snapshot, options);
  if (snapshot.units.empty()) {
    out += "\n";
    add_prose(out, options, "No unit: none is configured, or no loaded unit runs an engine known to allocd.");
    return out;
  }
  Table table({{.title = "UNIT", .cut = Cut::middle},
               {.title = "STATE"},
               {.title = "ALLOCATOR", .cut = Cut::end},
               {.title = "PROCS", .align = Align::right},
               {.title = "RSS", .align = Align::right},
               {.title = "ANON", .align = Align::right},
               {.title = "UP", .align = Align::right}});
  for (const auto& unit : snapshot.units) {
    auto line = unit_line(unit, options);
    table.add_row(std::move(line.cells));
    if (!line.note.empty()) table.add_note(std::move(line.note));
    if (!line.drift_note.empty()) {
      table.add_note(
          fmt::format("over days: {}: allocctl drift {}", line.drift_note, base::as_shell_word(unit.name)));
    }
  }
  return out + "\n" + table.render(options);
}

std::string render_list(const Snapshot& snapshot, const RenderOptions& options) {
  std::string out;
  for (const auto& unit : snapshot.units) {
    const auto field = [&](std::string_view text) {
      return text.empty() ? std::string("-") : printable(text, options.utf8);
    };
    out += fmt::format("{}\t{}\t{}\t{}\n", field(unit.name), policy::kStateNames.name(unit.assessment.state),
                       policy::kReasonNames.name(unit.assessment.reason), field(unit.service));
  }
  return out;
}

}  // namespace allocd::ctl
