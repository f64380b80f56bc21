// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "ctl/figures.hpp"
#include "ctl/lines.hpp"
#include "ctl/show_parts.hpp"
#include "ctl/summary.hpp"
#include "ctl/table.hpp"
#include "ctl/views.hpp"

namespace allocd::ctl {

namespace {

using snapshot::Unit;

std::string systemd_text(const Unit& unit, const RenderOptions& options) {
  if (unit.source == settings::SelectorKind::cgroup) return "no unit of its own: found by its cgroup";
  auto text = fmt::format("{}, {} ({})", unit.load_state, unit.active_state, unit.sub_state);
  if (unit.main_pid > 0) text += fmt::format(", main pid {}", unit.main_pid);
  if (unit.started_at > 0) {
    text += fmt::format(", up {} (since {})", format_duration(options.now - unit.started_at),
                        format_time(unit.started_at));
  }
  if (unit.restarts > 0) text += fmt::format(", {}", count_of(unit.restarts, "restart", "restarts"));
  if (unit.need_daemon_reload) text += "; its files changed: daemon-reload is needed";
  return text;
}

std::string processes_text(const Unit& unit) {
  auto text = fmt::format("{}, {} seen since allocd started", summarise(unit).processes, unit.processes_seen);
  if (unit.processes_vanished > 0) text += fmt::format(", {} gone while read", unit.processes_vanished);
  if (unit.processes_dropped > 0) text += fmt::format(", {} over the limit", unit.processes_dropped);
  if (unit.permission_errors > 0) text += fmt::format(", {} not permitted", unit.permission_errors);
  if (unit.evidence_pending > 0) text += fmt::format(", {} without evidence", unit.evidence_pending);
  return text;
}

void add_facts(std::string& out, const Unit& unit, const RenderOptions& options) {
  const auto fact = [&](std::string_view label, std::string_view text) {
    if (!text.empty()) add_labelled(out, options, {.label = label, .text = text});
  };
  const auto asked = unit.wanted == settings::Wanted::any
                         ? std::string("asks for no allocator")
                         : fmt::format("asks for {}", settings::kWantedNames.name(unit.wanted));
  fact("policy", unit.service.empty() ? asked + ", found by its engine"
                                      : fmt::format("service '{}' {}", unit.service, asked));
  fact("engine", engine::kEngineNames.name(unit.engine));
  fact("systemd", systemd_text(unit, options));
  fact("unit file", unit.fragment_path);
  for (const auto& path : unit.drop_in_paths) fact("drop-in", path);
  fact("cgroup", unit.control_group);
  fact("LD_PRELOAD", unit.preload);
  fact("MALLOC_CONF", unit.malloc_conf);
  fact("processes", processes_text(unit));
}

std::map<allocator::Kind, std::uint64_t> widen(const std::map<allocator::Kind, std::uint32_t>& counts) {
  return {counts.begin(), counts.end()};
}

void add_roles(std::string& out, const Unit& unit, const RenderOptions& options) {
  Table table({{.title = "ROLE"},
               {.title = "PROCS", .align = Align::right},
               {.title = "RSS", .align = Align::right},
               {.title = "ANON", .align = Align::right},
               {.title = "LARGEST", .align = Align::right},
               {.title = "THR", .align = Align::right},
               {.title = "ALLOCATOR", .cut = Cut::end}});
  for (const auto& role : unit.roles) {
    table.add_row({{std::string(engine::kRoleNames.name(role.role))},
                   {std::to_string(role.processes)},
                   {format_bytes(role.memory.resident)},
                   {format_bytes(role.memory.anonymous)},
                   {format_bytes(role.max_resident)},
                   {std::to_string(role.threads)},
                   {active_text(widen(role.active))}});
  }
  add_heading(out, options, "Roles");
  out += table.render(options, 2);
}

void add_processes(std::string& out, const Unit& unit, const RenderOptions& options) {
  Table table({{.title = "PID", .align = Align::right},
               {.title = "ROLE", .cut = Cut::end},
               {.title = "RSS", .align = Align::right},
               {.title = "ANON", .align = Align::right},
               {.title = "SWAP", .align = Align::right},
               {.title = "THR", .align = Align::right},
               {.title = "ALLOCATOR"},
               {.title = "STATE"}});
  bool any_off_disk = false;
  for (const auto& process : unit.processes) {
    const bool off_disk = std::ranges::any_of(process.evidence.libraries, is_off_disk);
    any_off_disk = any_off_disk || off_disk;
    table.add_row(
        {{std::to_string(process.pid)},
         {role_text(process)},
         {format_bytes(process.memory.resident)},
         {format_bytes(process.memory.anonymous)},
         {format_bytes(process.memory.swap)},
         {std::to_string(process.threads)},
         {fmt::format("{}{}", allocator::kKindNames.name(process.evidence.active), off_disk ? "*" : "")},
         {std::string(policy::kStateNames.name(process.state)), style_of(process.state)}});
  }
  add_heading(out, options, "Processes");
  out += table.render(options, 2);
  if (any_off_disk) {
    add_prose(out, options, "* maps an allocator library that was deleted or replaced on disk", 2,
              Style::faint);
  }
}

// The machine may have been given another limit since allocd started.
std::uint64_t mappings_limit(const snapshot::Snapshot& snapshot) {
  const auto& vm = snapshot.node.state.vm;
  return snapshot.node.known && vm.max_map_count ? *vm.max_map_count : snapshot.max_map_count;
}

}  // namespace

std::string render_show(const snapshot::Snapshot& snapshot, const Unit& unit, const RenderOptions& options) {
  std::string out;
  add_prose(out, options, fmt::format("{}: {}", unit.name, verdict_text(unit.assessment)), 0,
            style_of(unit.assessment.state));
  add_facts(out, unit, options);
  if (!unit.roles.empty()) add_roles(out, unit, options);
  add_unit_memory(out, unit, mappings_limit(snapshot), options);
  if (!unit.processes.empty()) add_processes(out, unit, options);
  add_libraries(out, unit, options);
  return out;
}

}  // namespace allocd::ctl
