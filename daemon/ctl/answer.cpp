// SPDX-License-Identifier: Apache-2.0
#include "ctl/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "ctl/advice.hpp"
#include "ctl/drift_words.hpp"
#include "ctl/enforce/change_command.hpp"
#include "ctl/enforce/local_environment.hpp"
#include "ctl/enforce/reload_command.hpp"
#include "ctl/enforce/verify_view.hpp"
#include "ctl/find_unit.hpp"
#include "ctl/json_views.hpp"
#include "ctl/node_words.hpp"
#include "ctl/summary.hpp"
#include "ctl/terminal_text.hpp"
#include "ctl/views.hpp"
#include "snapshot/client.hpp"

namespace allocd::ctl {

namespace {

using snapshot::Snapshot;
using snapshot::Unit;

std::string said(std::string_view text, const RenderOptions& options) {
  return fmt::format("allocctl: {}\n", printable(text, options.utf8));
}

Answer explain(const Snapshot& snapshot, const Unit& unit, bool json, const RenderOptions& options) {
  const int code = is_settled(unit.assessment.state) ? kDone : kDiffers;
  return {code, json ? render_explain_json(snapshot, unit) : render_explain(unit, options), ""};
}

Answer about_unit(const Snapshot& snapshot, const CommandLine& line, const RenderOptions& options) {
  const auto unit = find_unit(snapshot, line.unit);
  if (!unit) return {kFailure, "", said(unit.error(), options)};
  const bool json = line.output == Output::json;
  if (line.command == Command::explain) return explain(snapshot, **unit, json, options);
  return {kDone, json ? render_show_json(snapshot, **unit) : render_show(snapshot, **unit, options), ""};
}

std::expected<UnitList, std::string> select_units(const Snapshot& snapshot, const CommandLine& line) {
  if (line.units.empty()) return units_with_policy(snapshot);
  UnitList units;
  for (const auto& word : line.units) {
    const auto unit = find_unit(snapshot, word);
    if (!unit) return std::unexpected(unit.error());
    units.push_back(*unit);
  }
  return units;
}

Answer verify(const Snapshot& snapshot, const CommandLine& line, const RenderOptions& options) {
  const auto units = select_units(snapshot, line);
  if (!units) return {kFailure, "", said(units.error(), options)};
  // What was so a while ago proves nothing.
  const int code = is_stale(snapshot, options.now) ? kUnreachable : are_settled(*units) ? kDone : kDiffers;
  return {code,
          line.output == Output::json ? render_verify_json(snapshot, *units) : render_verify(*units, options),
          ""};
}

// A verdict of a while ago is none: a unit may have begun to drift since.
Answer about_drift(const Snapshot& snapshot, const CommandLine& line, const RenderOptions& options) {
  const bool json = line.output == Output::json;
  std::span<const Unit> units = snapshot.units;
  std::string text;
  if (line.units.empty()) {
    text = json ? render_drift_json(snapshot, units) : render_drift(snapshot, options);
  } else {
    const auto unit = find_unit(snapshot, line.units.front());
    if (!unit) return {kFailure, "", said(unit.error(), options)};
    units = std::span(*unit, 1);
    text = json ? render_drift_json(snapshot, units) : render_drift_unit(snapshot, **unit, options);
  }
  const bool drifting = std::ranges::any_of(units, is_drifting, &Unit::drift);
  const int code = is_stale(snapshot, options.now) ? kUnreachable : drifting ? kDiffers : kDone;
  return {code, text, ""};
}

// What is not known is not as it was declared.
Answer about_node(const Snapshot& snapshot, bool json, const RenderOptions& options) {
  const auto text = json ? render_node_json(snapshot) : render_node(snapshot, options);
  if (!snapshot.node.known) {
    return {kFailure, json ? text : "", said("allocd has not read the machine yet", options)};
  }
  return {is_as_declared(snapshot.node) ? kDone : kDiffers, text, ""};
}

Answer render(const Snapshot& snapshot, const CommandLine& line, const RenderOptions& options) {
  const bool json = line.output == Output::json;
  switch (line.command) {
    case Command::status:
      return {kDone, json ? render_status_json(snapshot, options.now) : render_status(snapshot, options), ""};
    case Command::list:
      return {kDone, json ? render_list_json(snapshot) : render_list(snapshot, options), ""};
    case Command::node:
      return about_node(snapshot, json, options);
    case Command::drift:
      return about_drift(snapshot, line, options);
    case Command::metrics:
      return {kDone, render_metrics(snapshot, options.now), ""};
    case Command::show:
    case Command::explain:
      return about_unit(snapshot, line, options);
    case Command::verify:
      return verify(snapshot, line, options);
    case Command::plan:
    case Command::apply:
    case Command::revert:
    case Command::check_config:
    case Command::reload:
      break;  // need no snapshot
  }
  return {kFailure, "", "allocctl: no such view\n"};
}

// Where allocd was refused a file, this caller may know more; and what no policy asks for, allocd does not
// read.
void complete_environment(Snapshot& snapshot, const CommandLine& line) {
  const auto found = find_unit(snapshot, line.unit);
  if (!found || (*found)->source == settings::SelectorKind::cgroup) return;
  if ((*found)->environment.known && (*found)->environment.doubts.empty()) return;
  auto local = read_local_environment(**found, line.places.bus_address);
  if (!local) return;
  const auto unit = std::ranges::find(snapshot.units, (*found)->name, &Unit::name);
  unit->environment = std::move(*local);
}

int exit_code_of(const base::Fault& fault) {
  switch (fault.code) {
    case EACCES:
    case EPERM:
      return kNoPrivilege;
    case ENOENT:
    case ENOTSOCK:
    case ECONNREFUSED:
    case ECONNRESET:
    case ETIMEDOUT:
    case ENODATA:
      return kUnreachable;
    default:
      return kFailure;
  }
}

}  // namespace

Answer answer_from(const Snapshot& snapshot, const CommandLine& line, const RenderOptions& options) {
  auto answer = render(snapshot, line, options);
  // status says it at its head; elsewhere the data must not be taken for news.
  if (line.command != Command::status && is_stale(snapshot, options.now)) {
    answer.err.insert(0, said("warning: " + stale_text(snapshot, options.now), options));
  }
  return answer;
}

Answer answer_without_snapshot(const base::Fault& fault) {
  Answer answer{exit_code_of(fault), "", fmt::format("allocctl: {}\n", printable(fault.message(), false))};
  if (answer.code == kUnreachable) answer.err += "allocctl: try: systemctl status allocd\n";
  if (answer.code == kNoPrivilege) answer.err += "allocctl: this socket is not open to you; try with sudo\n";
  return answer;
}

Answer run(const CommandLine& line, const RenderOptions& options, Dialogue& dialogue) {
  if (line.command == Command::check_config) return check_config(line);
  if (line.command == Command::reload) return run_reload(line);
  if (line.command == Command::plan) return run_plan(line, options);
  if (line.command == Command::apply || line.command == Command::revert)
    return run_change(line, options, dialogue);
  const bool with_processes =
      line.command == Command::show || line.command == Command::explain ||
      line.command == Command::status;  // a cgroup's age is that of its oldest process
  auto snapshot =
      snapshot::fetch({.socket_path = line.socket, .deadline = line.timeout},
                      with_processes ? snapshot::Detail::everything : snapshot::Detail::without_processes);
  if (!snapshot) return answer_without_snapshot(snapshot.error());
  if (line.command == Command::explain) complete_environment(*snapshot, line);
  return answer_from(*snapshot, line, options);
}

}  // namespace allocd::ctl
