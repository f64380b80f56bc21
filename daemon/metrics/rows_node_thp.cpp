// SPDX-License-Identifier: Apache-2.0
// Metrics of transparent huge pages on the machine.
#include <algorithm>
#include <array>
#include <string>

#include "metrics/rows.hpp"
#include "node/expect_value.hpp"

namespace allocd::metrics {
namespace {

using snapshot::Node;

constexpr Type kGauge = Type::gauge;
constexpr Type kCounter = Type::counter;

template <auto Member>
void thp_flag(const Node& node, const Sink& out) {
  if (node.state.thp.*Member) out.add(*(node.state.thp.*Member));
}

// A state set: one series for each word the setting knows. A word of a newer kernel's is none of them.
template <std::size_t Count>
void setting(const Sink& out, std::string_view name, const node::Word& chosen,
             const std::array<std::string_view, Count>& words) {
  if (!chosen || std::ranges::find(words, *chosen) == words.end()) return;
  for (const auto word : words) out.add(word == *chosen ? 1 : 0, {{"setting", name}, {"mode", word}});
}

constexpr std::array<std::string_view, 3> kThpEnabled{"always", "madvise", "never"};
constexpr std::array<std::string_view, 5> kThpDefrag{"always", "defer", "defer+madvise", "madvise", "never"};
constexpr std::array<std::string_view, 6> kThpShmem{"always", "within_size", "advise",
                                                    "never",  "deny",        "force"};

void thp_modes(const Node& node, const Sink& out) {
  const auto& thp = node.state.thp;
  setting(out, "enabled", thp.enabled, kThpEnabled);
  setting(out, "defrag", thp.defrag, kThpDefrag);
  setting(out, "shmem_enabled", thp.shmem_enabled, kThpShmem);
}

void thp_size_info(const Node& node, const Sink& out) {
  for (const auto& size : node.state.thp.sizes) {
    const std::string bytes = node::page_size_text(size.bytes);
    out.add(1, {{"page_size", bytes},
                {"enabled", size.enabled ? std::string_view(*size.enabled) : ""},
                {"shmem_enabled", size.shmem_enabled ? std::string_view(*size.shmem_enabled) : ""}});
  }
}

// Of the counters of a size those called nr_* are numbers of pages there are now; all others only rise.
constexpr std::string_view kNow = "nr_";

void thp_size_events(const Node& node, const Sink& out) {
  for (const auto& size : node.state.thp.sizes) {
    const std::string bytes = node::page_size_text(size.bytes);
    for (const auto& [name, count] : size.stats) {
      if (!name.starts_with(kNow)) out.add(count, {{"page_size", bytes}, {"event", name}});
    }
  }
}

void thp_size_pages(const Node& node, const Sink& out) {
  for (const auto& size : node.state.thp.sizes) {
    const std::string bytes = node::page_size_text(size.bytes);
    for (const auto& [name, count] : size.stats) {
      if (!name.starts_with(kNow)) continue;
      out.add(count, {{"page_size", bytes}, {"kind", std::string_view(name).substr(kNow.size())}});
    }
  }
}

void thp_events(const Node& node, const Sink& out) {
  constexpr std::string_view kPrefix = "thp_";
  for (const auto& [name, count] : node.state.thp.events) {
    std::string_view event = name;
    if (event.starts_with(kPrefix)) event.remove_prefix(kPrefix.size());
    out.add(count, {{"event", event}});
  }
}

// Files of khugepaged that count instead of setting something.
constexpr std::string_view kCollapsed = "pages_collapsed";
constexpr std::string_view kScans = "full_scans";

void khugepaged_settings(const Node& node, const Sink& out) {
  for (const auto& [name, value] : node.state.thp.khugepaged) {
    if (name != kCollapsed && name != kScans) out.add(value, {{"setting", name}});
  }
}

void khugepaged_count(const Node& node, const Sink& out, std::string_view file) {
  const auto found = node.state.thp.khugepaged.find(std::string(file));
  if (found != node.state.thp.khugepaged.end()) out.add(found->second);
}

constexpr Row kRows[] = {
    {{"allocd_node_thp_supported", kGauge, Scope::node, "",
      "1 if the kernel has transparent huge pages, 0 if it was built without",
      "transparent_hugepage in sysfs"},
     thp_flag<&node::Thp::is_supported>},
    {{"allocd_node_thp_mode", kGauge, Scope::node, "setting,mode",
      "1 for the mode each setting of transparent huge pages is in, 0 for the others; no sample for a mode "
      "that is not known here",
      "enabled, defrag and shmem_enabled of transparent_hugepage in sysfs"},
     thp_modes},
    {{"allocd_node_thp_use_zero_page", kGauge, Scope::node, "",
      "1 if a read of untouched memory maps a huge page of zeros",
      "use_zero_page of transparent_hugepage in sysfs"},
     thp_flag<&node::Thp::use_zero_page>},
    {{"allocd_node_thp_shrink_underused", kGauge, Scope::node, "",
      "1 if huge pages that are mostly zeros are split; no sample before Linux 6.12",
      "shrink_underused of transparent_hugepage in sysfs"},
     thp_flag<&node::Thp::shrink_underused>},
    {{"allocd_node_thp_pmd_bytes", kGauge, Scope::node, "", "Size of the largest transparent huge pages",
      "hpage_pmd_size of transparent_hugepage in sysfs"},
     [](const Node& n, const Sink& out) { out.add(n.state.thp.pmd_bytes); }},
    {{"allocd_node_thp_size_info", kGauge, Scope::node, "page_size,enabled,shmem_enabled",
      "1, with the modes of one size (inherit: as for all; empty: this size has no such setting); no sample "
      "before Linux 6.8",
      "hugepages-* of transparent_hugepage in sysfs"},
     thp_size_info},
    {{"allocd_node_thp_size_events_total", kCounter, Scope::node, "page_size,event",
      "Events of one size, named by the kernel", "stats of hugepages-* of transparent_hugepage in sysfs"},
     thp_size_events},
    {{"allocd_node_thp_size_pages", kGauge, Scope::node, "page_size,kind",
      "Huge pages of one size that there are, named by the kernel",
      "nr_* in stats of hugepages-* of transparent_hugepage in sysfs"},
     thp_size_pages},
    {{"allocd_node_thp_events_total", kCounter, Scope::node, "event",
      "Events of transparent huge pages, named by the kernel", "thp_* in /proc/vmstat"},
     thp_events},
    {{"allocd_node_khugepaged_setting", kGauge, Scope::node, "setting",
      "Settings of khugepaged, as the kernel has them", "khugepaged of transparent_hugepage in sysfs"},
     khugepaged_settings},
    {{"allocd_node_khugepaged_pages_collapsed_total", kCounter, Scope::node, "",
      "Huge pages that khugepaged has made", "pages_collapsed of khugepaged"},
     [](const Node& n, const Sink& out) { khugepaged_count(n, out, kCollapsed); }},
    {{"allocd_node_khugepaged_full_scans_total", kCounter, Scope::node, "",
      "Times khugepaged has been through all memory", "full_scans of khugepaged"},
     [](const Node& n, const Sink& out) { khugepaged_count(n, out, kScans); }},
};

}  // namespace

std::span<const Row> node_thp_rows() {
  return kRows;
}

}  // namespace allocd::metrics
