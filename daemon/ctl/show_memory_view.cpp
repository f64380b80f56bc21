// SPDX-License-Identifier: Apache-2.0
// The memory part of `allocctl show`: what the kernel charges to the unit, where it lies, and the sums over
// its processes that the tables of roles and processes have no room for.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/shell_word.hpp"
#include "ctl/drift_words.hpp"
#include "ctl/figures.hpp"
#include "ctl/lines.hpp"
#include "ctl/node_words.hpp"
#include "ctl/show_parts.hpp"
#include "ctl/summary.hpp"
#include "ctl/table.hpp"

namespace allocd::ctl {

namespace {

using kernel::CgroupMemory;
using kernel::MemoryEvent;
using kernel::MemoryStat;
using kernel::NodeKind;
using kernel::SmapsKey;
using snapshot::CgroupMemoryState;
using snapshot::CostlyState;
using snapshot::Process;
using snapshot::Unit;

constexpr double kPercent = 100;

void fact(std::string& out, const RenderOptions& options, std::string_view label, std::string_view text,
          Style style = Style::plain) {
  if (!text.empty()) add_labelled(out, options, {.label = label, .text = text, .style = style});
}

std::string limit_text(std::string_view name, const std::optional<kernel::Limit>& limit) {
  if (!limit) return "";
  return fmt::format("{} {}", name, limit->is_unlimited() ? "none" : format_bytes(limit->bytes));
}

// "50.5G of 60.0G that /system.slice allows (84 %), peak 63.9G"
std::string charged_text(const CgroupMemory& memory, std::string_view own_group) {
  if (!memory.current) return "";
  auto text = format_bytes(*memory.current);
  if (memory.effective_max && !memory.effective_max->limit.is_unlimited()) {
    const auto& [limit, group] = *memory.effective_max;
    const double share =
        limit.bytes > 0 ? kPercent * static_cast<double>(*memory.current) / static_cast<double>(limit.bytes)
                        : kPercent;
    text += fmt::format(" of {} that {} allows ({:.0f} %)", format_bytes(limit.bytes),
                        group == own_group ? "its own limit" : group, share);
  }
  if (memory.peak) text += fmt::format(", peak {}", format_bytes(*memory.peak));
  return text;
}

// A limit that is met soon, or one that was met, is worth a colour.
Style charged_style(const CgroupMemory& memory) {
  constexpr double kNearly = 0.9;
  if (!memory.current || !memory.effective_max) return Style::plain;
  const auto limit = static_cast<double>(memory.effective_max->limit.bytes);
  return static_cast<double>(*memory.current) >= kNearly * limit ? Style::warning : Style::plain;
}

std::string kinds_text(const CgroupMemory& memory) {
  const auto& stat = memory.stat;
  return join_known(
      {known("anonymous", stat[MemoryStat::anon]), known("file", stat[MemoryStat::file]),
       known("of it shared", stat[MemoryStat::shmem]), known("inactive", stat[MemoryStat::inactive_file]),
       known("slab", stat[MemoryStat::slab]), known("page tables", stat[MemoryStat::pagetables])});
}

std::string counted(std::string_view name, const std::optional<std::uint64_t>& count) {
  return count ? fmt::format("{} {}", name, *count) : "";
}

std::string huge_text(const CgroupMemory& memory) {
  const auto& stat = memory.stat;
  return join_known({known("anonymous", stat[MemoryStat::anon_thp]),
                     known("file", stat[MemoryStat::file_thp]), known("shared", stat[MemoryStat::shmem_thp]),
                     counted("made by faults", stat[MemoryStat::thp_fault_alloc]),
                     counted("by khugepaged", stat[MemoryStat::thp_collapse_alloc])});
}

std::string refault_text(const CgroupMemory& memory) {
  const auto& stat = memory.stat;
  return join_known({counted("file pages", stat[MemoryStat::workingset_refault_file]),
                     counted("anonymous pages", stat[MemoryStat::workingset_refault_anon])});
}

// Those that happened; nothing to say of a unit that never met a limit.
std::string events_text(const CgroupMemory& memory) {
  constexpr std::pair<MemoryEvent, std::string_view> kWords[] = {
      {MemoryEvent::low, "reclaimed below memory.low"}, {MemoryEvent::high, "throttled at memory.high"},
      {MemoryEvent::max, "stood at its limit"},         {MemoryEvent::oom, "out of memory"},
      {MemoryEvent::oom_kill, "a process killed"},      {MemoryEvent::oom_group_kill, "all of it killed"}};
  std::vector<std::string> parts;
  for (const auto& [event, words] : kWords) {
    const auto count = memory.events[event].value_or(0);  // one that was not read is not said to be 0 either
    if (count > 0)
      parts.push_back(fmt::format("{} {}", words, count == 1 ? "once" : fmt::format("{} times", count)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

Style events_style(const CgroupMemory& memory) {
  const bool killed = memory.events[MemoryEvent::oom_kill].value_or(0) > 0;
  return killed ? Style::bad : Style::warning;
}

std::string_view why_absent(CgroupMemoryState state) {
  switch (state) {
    case CgroupMemoryState::controller_off:
      return "no memory controller for this control group: sums of processes only";
    case CgroupMemoryState::cgroup_v1:
      return "the host is on cgroup v1: sums of processes only";
    case CgroupMemoryState::not_permitted:
      return "allocd may not read the control group: sums of processes only";
    case CgroupMemoryState::failed:
      return "the control group could not be read: sums of processes only";
    case CgroupMemoryState::available:
    case CgroupMemoryState::gone:
    case CgroupMemoryState::not_read:
      break;  // nothing to explain: there are figures, or there is no unit running
  }
  return "";
}

void add_nodes(std::string& out, const CgroupMemory& memory, const RenderOptions& options) {
  if (memory.nodes.size() < 2) return;
  Table table({{.title = "NODE", .align = Align::right},
               {.title = "ANON", .align = Align::right},
               {.title = "FILE", .align = Align::right},
               {.title = "OF IT SHARED", .align = Align::right},
               {.title = "SLAB", .align = Align::right}});
  for (const auto& [id, figures] : memory.nodes) {
    const auto& reclaimable = figures[NodeKind::slab_reclaimable];
    const auto& unreclaimable = figures[NodeKind::slab_unreclaimable];
    table.add_row({{std::to_string(id)},
                   {bytes_or_dash(figures[NodeKind::anon])},
                   {bytes_or_dash(figures[NodeKind::file])},
                   {bytes_or_dash(figures[NodeKind::shmem])},
                   {reclaimable && unreclaimable ? format_bytes(*reclaimable + *unreclaimable) : "-"}});
  }
  out += table.render(options, 2);
}

std::string nodes_text(const std::vector<unsigned>& nodes) {
  return fmt::format("{} {}", nodes.size() == 1 ? "node" : "nodes", fmt::join(nodes, ","));
}

std::string policy_text(const snapshot::Locality& locality) {
  auto text = fmt::format("NUMAPolicy={}", snapshot::kNumaPolicyNames.name(locality.policy));
  if (!locality.policy_nodes.empty()) text += fmt::format(" {}", fmt::join(locality.policy_nodes, ","));
  return text;
}

// What share lies elsewhere, and than what: the reason stands beside the figure.
std::string off_node_text(const snapshot::Locality& locality) {
  std::vector<std::string> parts;
  const auto part = [&](const std::optional<double>& share, const std::vector<unsigned>& nodes,
                        std::string_view whose) {
    if (share)
      parts.push_back(fmt::format("{:.0f} % off {} ({})", kPercent * *share, nodes_text(nodes), whose));
  };
  part(locality.off_cpus, locality.cpu_nodes, "its CPUs");
  part(locality.off_gpus, locality.gpu_nodes, "its GPUs");
  part(locality.off_policy, locality.policy_nodes,
       fmt::format("NUMAPolicy={}", snapshot::kNumaPolicyNames.name(locality.policy)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

Style off_node_style(const snapshot::Locality& locality) {
  constexpr double kMuch = 0.1;
  const bool much = locality.off_cpus.value_or(0) > kMuch || locality.off_gpus.value_or(0) > kMuch ||
                    locality.off_policy.value_or(0) > kMuch;
  return much ? Style::warning : Style::plain;
}

std::string differs_text(const snapshot::Locality& locality) {
  std::vector<std::string> parts;
  if (locality.cpus_differ > 0) {
    parts.push_back(fmt::format("{} on other CPUs than CPUAffinity={}",
                                count_of(locality.cpus_differ, "process", "processes"),
                                locality.cpu_affinity));
  }
  if (locality.mems_differ > 0) {
    parts.push_back(fmt::format("{} may not use all nodes of {}",
                                count_of(locality.mems_differ, "process", "processes"),
                                policy_text(locality)));
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

void add_charged(std::string& out, const Unit& unit, const RenderOptions& options) {
  fact(out, options, "charged", why_absent(unit.cgroup.state), Style::warning);
  if (!unit.cgroup.memory) return;
  const auto& memory = *unit.cgroup.memory;
  fact(out, options, "charged", charged_text(memory, unit.control_group), charged_style(memory));
  fact(out, options, "of it", kinds_text(memory));
  fact(out, options, "own limits",
       join_known({limit_text("high", memory.high), limit_text("max", memory.max),
                   limit_text("swap", memory.swap_max)}));
  fact(out, options, "swap", memory.swap_current ? format_bytes(*memory.swap_current) : "");
  fact(out, options, "huge pages", huge_text(memory));
  fact(out, options, "refaults", refault_text(memory));
  fact(out, options, "events", events_text(memory), events_style(memory));
  if (memory.pressure) fact(out, options, "pressure", pressure_text(*memory.pressure));
  if (memory.pressure_is_off) fact(out, options, "pressure", "not accounted for by this kernel");
  fact(out, options, "off node", off_node_text(unit.locality), off_node_style(unit.locality));
}

std::string costly_states_text(const std::map<CostlyState, std::uint32_t>& states) {
  constexpr std::pair<CostlyState, std::string_view> kWords[] = {
      {CostlyState::waiting, "waiting for their turn"},
      {CostlyState::slow, "left alone for having been slow"},
      {CostlyState::too_large, "too large to be read"},
      {CostlyState::not_permitted, "not permitted"},
      {CostlyState::unsupported, "not supported by this kernel"},
      {CostlyState::failed, "failed"}};
  std::string text;
  for (const auto& [state, words] : kWords) {
    const auto found = states.find(state);
    if (found != states.end() && found->second > 0) text += fmt::format("; {} {}", found->second, words);
  }
  return text;
}

std::string costly_figures_text(const snapshot::UnitCostly& costly) {
  if (costly.kind == kernel::CostlyKind::smaps_rollup) {
    return join_known({known("PSS", costly.smaps[SmapsKey::Pss]),
                       known("anonymous huge", costly.smaps[SmapsKey::AnonHugePages])});
  }
  std::vector<std::string> parts;
  for (const auto& [id, figures] : costly.nodes) {
    std::uint64_t sum = 0;
    for (const auto kind : kernel::kPageKindNames.values()) sum += figures[kind].value_or(0);
    parts.push_back(fmt::format("node {} {}", id, format_bytes(sum)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

// How old the figures are and what they cost stands with them: they are not free.
void add_costly(std::string& out, const Unit& unit, const RenderOptions& options) {
  for (const auto& costly : unit.costly) {
    std::string text = "nothing read yet";
    if (costly.processes > 0) {
      text = fmt::format("{}; of {}, the oldest {} ago; the last took {:.1f} ms, {} in all {:.1f} s",
                         costly_figures_text(costly), count_of(costly.processes, "process", "processes"),
                         format_duration(options.now - costly.oldest_read_at), 1000 * costly.last_seconds,
                         count_of(costly.reads, "read", "reads"), costly.seconds_total);
    }
    fact(out, options, kernel::kCostlyKindNames.name(costly.kind), text + costly_states_text(costly.states));
  }
}

// Sums over the processes of all roles.
struct Sums {
  snapshot::Memory memory;
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;
  std::uint64_t glibc_heaps = 0;
  std::uint64_t background_threads = 0;
  std::uint64_t thp_disabled = 0;
  bool has_maps = false;  // of one process at least
};

Sums sum_up(const Unit& unit) {
  using snapshot::Memory;
  Sums sums;
  for (const auto& role : unit.roles) {
    for (const auto member :
         {&Memory::resident, &Memory::anonymous, &Memory::file, &Memory::shared, &Memory::swap,
          &Memory::peak_resident, &Memory::locked, &Memory::pinned, &Memory::page_tables, &Memory::hugetlb}) {
      sums.memory.*member += role.memory.*member;
    }
    sums.minor_faults += role.minor_faults;
    sums.major_faults += role.major_faults;
    sums.glibc_heaps += role.glibc_heaps;
    sums.background_threads += role.jemalloc_background_threads;
    sums.thp_disabled += role.thp_disabled;
    sums.has_maps = sums.has_maps || role.max_mappings > 0;
  }
  return sums;
}

// "4200 in pid 4101 (api_server), 6 % of vm.max_map_count 65530"
std::string mappings_text(const Unit& unit, std::uint64_t limit) {
  const auto worst = std::ranges::max_element(
      unit.processes, {}, [](const Process& process) { return process.evidence.mappings.value_or(0); });
  if (worst == unit.processes.end() || !worst->evidence.mappings) return "";
  const auto mappings = *worst->evidence.mappings;
  auto text = fmt::format("at most {}, in pid {} ({})", mappings, worst->pid, role_text(*worst));
  if (limit > 0) {
    const double share = kPercent * static_cast<double>(mappings) / static_cast<double>(limit);
    text += fmt::format("; {:.0f} % of vm.max_map_count {}", share, limit);
  }
  return text;
}

// "normal, floor 9.9G: allocctl drift sglang.service"
std::string drift_text(const Unit& unit) {
  const auto& report = unit.drift;
  if (!report.known) return "";
  auto text = drift_note(report);
  if (text.empty()) text = drift_state_text(report);
  if (report.floor) text += fmt::format(", floor {}", format_computed_bytes(*report.floor));
  if (const auto window = drift_window_text(report); !window.empty()) text += fmt::format(", {}", window);
  return fmt::format("{}: allocctl drift {}", text, base::as_shell_word(unit.name));
}

Style style_of_drift(const drift::Report& report) {
  return drift_note(report).empty() ? Style::plain : Style::warning;
}

void add_sums(std::string& out, const Unit& unit, std::uint64_t mappings_limit,
              const RenderOptions& options) {
  const auto sums = sum_up(unit);
  const auto& memory = sums.memory;
  fact(out, options, "resident",
       join_known({known("anonymous", memory.anonymous), known("file", memory.file),
                   known("shared", memory.shared), known("swapped out", memory.swap)}));
  fact(out, options, "peaks",
       fmt::format("{}, the sum of each process's own", format_bytes(memory.peak_resident)));
  fact(out, options, "kept",
       join_known({known("locked", memory.locked), known("pinned", memory.pinned),
                   known("page tables", memory.page_tables), known("reserved huge pages", memory.hugetlb)}));
  fact(out, options, "drift", drift_text(unit), style_of_drift(unit.drift));
  fact(out, options, "page faults",
       fmt::format("{} minor, {} major, of the processes that live", sums.minor_faults, sums.major_faults));
  if (sums.has_maps) {
    fact(out, options, "mappings", mappings_text(unit, mappings_limit));
    fact(out, options, "arenas",
         fmt::format(
             "{}, {}", count_of(sums.glibc_heaps, "glibc heap", "glibc heaps"),
             count_of(sums.background_threads, "jemalloc background thread", "jemalloc background threads")));
  }
  if (sums.thp_disabled > 0) {
    fact(out, options, "huge pages",
         fmt::format("switched off in {}", count_of(sums.thp_disabled, "process", "processes")));
  }
  fact(out, options, "placement", differs_text(unit.locality), Style::warning);
}

}  // namespace

void add_unit_memory(std::string& out, const Unit& unit, std::uint64_t mappings_limit,
                     const RenderOptions& options) {
  std::string charged;
  add_charged(charged, unit, options);
  if (unit.cgroup.memory) add_nodes(charged, *unit.cgroup.memory, options);
  if (!charged.empty()) {
    add_heading(out, options, "Memory of the control group");
    out += charged;
  }
  if (!unit.roles.empty()) {
    add_heading(out, options, "Memory of the processes, summed");
    add_sums(out, unit, mappings_limit, options);
    add_costly(out, unit, options);
  }
}

}  // namespace allocd::ctl
