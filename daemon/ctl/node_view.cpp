// SPDX-License-Identifier: Apache-2.0
// `allocctl node`: the memory state of the machine, what was declared of it first.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "ctl/figures.hpp"
#include "ctl/lines.hpp"
#include "ctl/node_words.hpp"
#include "ctl/show_parts.hpp"
#include "ctl/table.hpp"
#include "ctl/views.hpp"
#include "node/expect_value.hpp"

namespace allocd::ctl {

namespace {

using node::ExpectationState;
using node::Figure;
using node::NodeState;
using snapshot::Node;
using snapshot::Snapshot;

void fact(std::string& out, const RenderOptions& options, std::string_view label, std::string_view text,
          Style style = Style::plain) {
  if (!text.empty()) {
    add_labelled(out, options, {.label = label, .text = text, .label_width = 15, .style = style});
  }
}

void add_section(std::string& out, const RenderOptions& options, std::string_view title,
                 const std::string& body) {
  add_heading(out, options, title);
  if (body.empty()) add_prose(out, options, "nothing could be read", 2, Style::warning);
  out += body;
}

Style style_of(ExpectationState state) {
  switch (state) {
    case ExpectationState::met:
      return Style::good;
    case ExpectationState::missed:
      return Style::bad;
    case ExpectationState::unknown:
      return Style::warning;
  }
  return Style::plain;
}

// What differs first, the rest as it was declared.
void add_expectations(std::string& out, const Node& node, const RenderOptions& options) {
  if (node.expectations.empty()) return;
  Table table({{.title = "EXPECTED", .cut = Cut::end},
               {.title = "WANTED", .cut = Cut::end},
               {.title = "FOUND", .cut = Cut::end},
               {.title = "STATE"}});
  for (const auto state : {ExpectationState::missed, ExpectationState::unknown, ExpectationState::met}) {
    for (const auto& result : node.expectations) {
      if (result.state != state) continue;
      table.add_row({{result.key},
                     {result.wanted},
                     {result.found.empty() ? "(not read)" : result.found},
                     {std::string(node::kExpectationStateNames.name(state)), style_of(state)}});
    }
  }
  add_heading(out, options, "Declared in the settings");
  out += table.render(options, 2);
}

std::string bytes_text(const Figure& bytes) {
  return bytes ? format_bytes(*bytes) : "";
}

std::string memory_text(const node::Memory& memory) {
  return join_known({known("total", memory.total), known("available", memory.available),
                     known("free", memory.free), known("anonymous", memory.anon),
                     known("page cache", memory.cached), known("shared", memory.shmem),
                     known("page tables", memory.page_tables)});
}

std::string commit_text(const NodeState& state) {
  constexpr std::string_view kModes[] = {"heuristic", "always", "never over the limit"};
  const auto& memory = state.memory;
  if (!memory.committed) return "";
  auto text = fmt::format("{} promised", format_bytes(*memory.committed));
  if (memory.commit_limit) text += fmt::format(", limit {}", format_bytes(*memory.commit_limit));
  const auto& mode = state.vm.overcommit_memory;
  if (mode && *mode < std::size(kModes)) {
    text += fmt::format("; overcommit_memory {} ({})", *mode, kModes[*mode]);
  }
  return text;
}

std::string swap_text(const NodeState& state) {
  const auto& memory = state.memory;
  if (!memory.swap_total || !memory.swap_free) return "";
  const auto used = *memory.swap_total - std::min(*memory.swap_total, *memory.swap_free);
  auto text = *memory.swap_total == 0
                  ? std::string("none")
                  : fmt::format("{} of {} used", format_bytes(used), format_bytes(*memory.swap_total));
  if (state.vm.swappiness) text += fmt::format("; swappiness {}", *state.vm.swappiness);
  return text;
}

std::string pinned_text(const node::Vm& vm) {
  if (!vm.pins_acquired || !vm.pins_released) return "";
  const auto pinned = *vm.pins_acquired - std::min(*vm.pins_acquired, *vm.pins_released);
  return fmt::format("{} pinned by drivers", count_of(pinned, "page", "pages"));
}

void add_memory(std::string& out, const NodeState& state, const RenderOptions& options) {
  const auto& memory = state.memory;
  std::string body;
  fact(body, options, "memory", memory_text(memory));
  fact(body, options, "locked", join_known({bytes_text(memory.mlocked), pinned_text(state.vm)}));
  fact(body, options, "commit", commit_text(state));
  fact(body, options, "swap", swap_text(state));
  fact(body, options, "pressure", memory.pressure ? pressure_text(*memory.pressure) : "");
  fact(body, options, "kept free", bytes_text(state.vm.min_free));
  fact(body, options, "mappings",
       state.vm.max_map_count ? fmt::format("{} for a process at most", *state.vm.max_map_count) : "");
  add_section(out, options, "Memory", body);
}

std::string on_off(const std::optional<bool>& flag) {
  return flag ? (*flag ? "on" : "off") : "";
}

std::string counter_text(const node::Counters& counters, std::string_view name) {
  const auto found = counters.find(std::string(name));
  return found == counters.end() ? "-" : std::to_string(found->second);
}

std::string faults_text(const node::Counters& events) {
  const auto huge = events.find("thp_fault_alloc");
  const auto small = events.find("thp_fault_fallback");
  if (huge == events.end() || small == events.end()) return "";
  const double all = static_cast<double>(huge->second) + static_cast<double>(small->second);
  auto text = fmt::format("{} got a huge page, {} fell back", huge->second, small->second);
  if (all > 0) text += fmt::format(" ({:.1f} %)", 100 * static_cast<double>(small->second) / all);
  return text;
}

std::string khugepaged_text(const node::Counters& khugepaged) {
  std::vector<std::string> parts;
  for (const std::string_view name : {"defrag", "max_ptes_none", "pages_to_scan", "scan_sleep_millisecs"}) {
    const auto found = khugepaged.find(std::string(name));
    if (found != khugepaged.end()) parts.push_back(fmt::format("{} {}", name, found->second));
  }
  const auto collapsed = khugepaged.find("pages_collapsed");
  const auto scans = khugepaged.find("full_scans");
  if (collapsed != khugepaged.end() && scans != khugepaged.end()) {
    parts.push_back(fmt::format("{} pages made in {} scans", collapsed->second, scans->second));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

// Sizes that nothing is ever put in would only be rows of zeros.
bool is_of_interest(const node::ThpSize& size) {
  const bool is_on = size.enabled != "never" || size.shmem_enabled.value_or("never") != "never";
  return is_on || std::ranges::any_of(size.stats, [](const auto& one) { return one.second > 0; });
}

void add_thp_sizes(std::string& out, const node::Thp& thp, const RenderOptions& options) {
  Table table({{.title = "SIZE", .align = Align::right},
               {.title = "ENABLED", .cut = Cut::end},
               {.title = "SHMEM", .cut = Cut::end},
               {.title = "FAULTS", .align = Align::right},
               {.title = "FELL BACK", .align = Align::right},
               {.title = "SPLIT", .align = Align::right},
               {.title = "NOW", .align = Align::right}});
  std::size_t shown = 0;
  for (const auto& size : thp.sizes) {
    if (!is_of_interest(size)) continue;
    ++shown;
    table.add_row({{node::page_size_text(size.bytes)},
                   {size.enabled.value_or("-")},
                   {size.shmem_enabled.value_or("-")},
                   {counter_text(size.stats, "anon_fault_alloc")},
                   {counter_text(size.stats, "anon_fault_fallback")},
                   {counter_text(size.stats, "split")},
                   {counter_text(size.stats, "nr_anon")}});
  }
  if (shown > 0) out += table.render(options, 2);
  if (const auto left = thp.sizes.size() - shown; left > 0) {
    add_prose(out, options,
              fmt::format("{} never used and switched off", count_of(left, "other size", "other sizes")), 2,
              Style::faint);
  }
}

void add_thp(std::string& out, const NodeState& state, const RenderOptions& options) {
  const auto& thp = state.thp;
  std::string body;
  if (thp.is_supported == false) {
    add_prose(body, options, "This kernel was built without.", 2);
    return add_section(out, options, "Transparent huge pages", body);
  }
  fact(body, options, "enabled", thp.enabled.value_or(""));
  fact(body, options, "defrag", thp.defrag.value_or(""));
  fact(body, options, "shared memory", thp.shmem_enabled.value_or(""));
  fact(body, options, "zero page", on_off(thp.use_zero_page));
  fact(body, options, "split underused", on_off(thp.shrink_underused));
  fact(body, options, "khugepaged", khugepaged_text(thp.khugepaged));
  fact(body, options, "in use",
       join_known({known("anonymous", state.memory.anon_huge), known("shared", state.memory.shmem_huge),
                   known("file", state.memory.file_huge)}));
  fact(body, options, "faults", faults_text(thp.events));
  add_thp_sizes(body, thp, options);
  add_section(out, options, "Transparent huge pages", body);
}

// One for each node while that is a table somebody can read, else how near and how far the others are.
std::string distances_text(const node::NumaNode& node) {
  constexpr std::size_t kMostInFull = 4;
  std::vector<std::uint64_t> others;
  std::vector<std::uint64_t> all;
  for (const auto& other : node.distances) {
    all.push_back(other.distance);
    if (other.to != node.id) others.push_back(other.distance);
  }
  if (others.empty()) return "-";
  if (all.size() <= kMostInFull) return fmt::format("{}", fmt::join(all, " "));
  const auto [nearest, farthest] = std::ranges::minmax(others);
  return nearest == farthest ? std::to_string(nearest) : fmt::format("{}-{}", nearest, farthest);
}

std::string cpus_text(const node::NumaNode& node) {
  if (!node.cpus) return "-";
  return node.cpus->empty() ? "none" : *node.cpus;
}

std::string switch_text(const Figure& mode) {
  if (!mode) return "";
  return *mode == 0 ? "0 (off)" : std::to_string(*mode);
}

void add_numa(std::string& out, const NodeState& state, const RenderOptions& options) {
  const auto& numa = state.numa;
  if (numa.nodes.empty()) return;
  Table table({{.title = "NODE", .align = Align::right},
               {.title = "CPUS", .cut = Cut::end},
               {.title = "TOTAL", .align = Align::right},
               {.title = "FREE", .align = Align::right},
               {.title = "ANON", .align = Align::right},
               {.title = "FILE", .align = Align::right},
               {.title = "HUGE", .align = Align::right},
               {.title = "MISS", .align = Align::right},
               {.title = "DISTANCE", .cut = Cut::end}});
  for (const auto& node : numa.nodes) {
    table.add_row({{std::to_string(node.id)},
                   {cpus_text(node)},
                   {bytes_or_dash(node.memory.total)},
                   {bytes_or_dash(node.memory.free)},
                   {bytes_or_dash(node.memory.anon)},
                   {bytes_or_dash(node.memory.file)},
                   {bytes_or_dash(node.memory.anon_huge)},
                   {counter_text(node.numastat, "numa_miss")},
                   {distances_text(node)}});
  }
  add_heading(out, options, "NUMA nodes");
  out += table.render(options, 2);
  add_prose(out, options, "MISS: pages that were meant for another node and had to be taken here", 2,
            Style::faint);
  fact(out, options, "balancing", switch_text(numa.balancing));
  fact(out, options, "zone reclaim", switch_text(state.vm.zone_reclaim_mode));
}

std::string count_or_dash(const Figure& figure) {
  return figure ? std::to_string(*figure) : "-";
}

// A pool is one row, and each node's part of it where there is more than one node.
void add_hugetlb(std::string& out, const NodeState& state, const RenderOptions& options) {
  if (!state.hugetlb || state.hugetlb->empty()) return;
  Table table({{.title = "SIZE", .align = Align::right},
               {.title = "NODE", .align = Align::right},
               {.title = "PAGES", .align = Align::right},
               {.title = "FREE", .align = Align::right},
               {.title = "PROMISED", .align = Align::right},
               {.title = "SURPLUS", .align = Align::right},
               {.title = "MAY GROW BY", .align = Align::right}});
  for (const auto& pool : *state.hugetlb) {
    table.add_row({{node::page_size_text(pool.page_bytes)},
                   {"all"},
                   {count_or_dash(pool.pages)},
                   {count_or_dash(pool.free)},
                   {count_or_dash(pool.reserved)},
                   {count_or_dash(pool.surplus)},
                   {count_or_dash(pool.overcommit)}});
    if (pool.nodes.size() < 2 || pool.pages.value_or(0) == 0) continue;
    for (const auto& part : pool.nodes) {
      table.add_row({{""},
                     {std::to_string(part.node)},
                     {count_or_dash(part.pages)},
                     {count_or_dash(part.free)},
                     {""},
                     {count_or_dash(part.surplus)},
                     {""}});
    }
  }
  add_heading(out, options, "Reserved huge pages");
  out += table.render(options, 2);
}

void add_iommu(std::string& out, const node::Iommu& iommu, const RenderOptions& options) {
  std::vector<std::string> groups;
  for (const auto& [kind, count] : iommu.groups) groups.push_back(fmt::format("{} {}", count, kind));
  auto mode = std::string(node::kIommuModeNames.name(iommu.mode));
  if (!groups.empty()) mode += fmt::format("; groups: {}", fmt::join(groups, ", "));
  add_heading(out, options, "IOMMU");
  fact(out, options, "mode", mode, iommu.mode == node::IommuMode::unknown ? Style::warning : Style::plain);
  if (iommu.options && !iommu.options->empty()) {
    fact(out, options, "kernel options", fmt::format("{}", fmt::join(*iommu.options, " ")));
  }
}

constexpr std::size_t kMostProblems = 20;

// What a kernel does not have is no news; what could not be read is.
void add_problems(std::string& out, const NodeState& state, const RenderOptions& options) {
  if (node::count_errors(state) == 0) return;
  add_heading(out, options, "Could not be read");
  std::size_t shown = 0;
  for (const auto& problem : state.problems) {
    if (problem.kind == node::ProblemKind::missing || shown++ >= kMostProblems) continue;
    add_prose(out, options, fmt::format("{}: {}", problem.path, problem.what), 2, Style::warning);
  }
  if (shown > kMostProblems) add_prose(out, options, fmt::format("and {} more", shown - kMostProblems), 2);
}

}  // namespace

std::string render_node(const Snapshot& snapshot, const RenderOptions& options) {
  const auto& node = snapshot.node;
  std::string out;
  if (!node.known) {
    add_prose(out, options, fmt::format("{}: allocd has not read the machine yet", snapshot.hostname), 0,
              Style::warning);
    return out;
  }
  const auto verdict = node_verdict(node);
  add_prose(out, options, fmt::format("{}: {}", snapshot.hostname, verdict.text), 0, verdict.style);
  add_prose(out, options,
            fmt::format("Linux {}, read {} ago, every {}", snapshot.kernel_release,
                        format_duration(options.now - node.read_at), format_duration(node.interval)),
            2, Style::faint);
  add_expectations(out, node, options);
  add_memory(out, node.state, options);
  add_thp(out, node.state, options);
  add_numa(out, node.state, options);
  add_hugetlb(out, node.state, options);
  add_iommu(out, node.state.iommu, options);
  add_model_files(out, snapshot, options);
  add_problems(out, node.state, options);
  return out;
}

}  // namespace allocd::ctl
