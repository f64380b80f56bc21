// SPDX-License-Identifier: Apache-2.0
// Metrics of the machine: memory, reserved huge pages, IOMMU, limits, and what was declared of it.
#include <string>

#include "metrics/rows.hpp"
#include "node/expect_value.hpp"

namespace allocd::metrics {
namespace {

using node::Memory;
using node::Vm;
using snapshot::Node;

constexpr Type kGauge = Type::gauge;
constexpr Type kCounter = Type::counter;
constexpr double kMicroseconds = 1e6;
constexpr double kPercent = 100;

template <auto Member>
void memory(const Node& node, const Sink& out) {
  out.add(node.state.memory.*Member);
}
template <auto Member>
void vm(const Node& node, const Sink& out) {
  out.add(node.state.vm.*Member);
}

template <auto Member>
void pool(const Node& node, const Sink& out) {
  if (!node.state.hugetlb) return;
  for (const auto& one : *node.state.hugetlb) {
    const std::string size = node::page_size_text(one.page_bytes);
    out.add(one.*Member, {{"page_size", size}});
  }
}
template <auto Member>
void node_pool(const Node& node, const Sink& out) {
  if (!node.state.hugetlb) return;
  for (const auto& one : *node.state.hugetlb) {
    const std::string size = node::page_size_text(one.page_bytes);
    for (const auto& part : one.nodes) {
      const std::string id = std::to_string(part.node);
      out.add(part.*Member, {{"node", id}, {"page_size", size}});
    }
  }
}

void iommu_modes(const Node& node, const Sink& out) {
  for (const auto mode : node::kIommuModeNames.values()) {
    out.add(mode == node.state.iommu.mode ? 1 : 0, {{"mode", node::kIommuModeNames.name(mode)}});
  }
}

void iommu_groups(const Node& node, const Sink& out) {
  for (const auto& [kind, count] : node.state.iommu.groups) out.add(count, {{"kind", kind}});
}

void thp_bytes(const Node& node, const Sink& out) {
  const auto& memory = node.state.memory;
  out.add(memory.anon_huge, {{"kind", "anon"}});
  out.add(memory.shmem_huge, {{"kind", "shmem"}});
  out.add(memory.file_huge, {{"kind", "file"}});
}

void pressure_waiting(const Node& node, const Sink& out) {
  const auto& pressure = node.state.memory.pressure;
  if (pressure) out.add(static_cast<double>(pressure->some.total_microseconds) / kMicroseconds);
}
void pressure_stalled(const Node& node, const Sink& out) {
  const auto& pressure = node.state.memory.pressure;
  if (pressure && pressure->full) {
    out.add(static_cast<double>(pressure->full->total_microseconds) / kMicroseconds);
  }
}

void expectations(const Node& node, const Sink& out) {
  for (const auto& result : node.expectations) {
    for (const auto state : node::kExpectationStateNames.values()) {
      out.add(state == result.state ? 1 : 0,
              {{"key", result.key}, {"state", node::kExpectationStateNames.name(state)}});
    }
  }
}

constexpr Row kRows[] = {
    {{"allocd_node_memory_total_bytes", kGauge, Scope::node, "", "Memory of the machine",
      "MemTotal in /proc/meminfo"},
     memory<&Memory::total>},
    {{"allocd_node_memory_available_bytes", kGauge, Scope::node, "",
      "Memory that could be given to programs without swapping", "MemAvailable in /proc/meminfo"},
     memory<&Memory::available>},
    {{"allocd_node_memory_committed_bytes", kGauge, Scope::node, "",
      "Memory that has been promised to programs", "Committed_AS in /proc/meminfo"},
     memory<&Memory::committed>},
    {{"allocd_node_memory_commit_limit_bytes", kGauge, Scope::node, "",
      "The most that may be promised when overcommit_mode is 2", "CommitLimit in /proc/meminfo"},
     memory<&Memory::commit_limit>},
    {{"allocd_node_memory_mlocked_bytes", kGauge, Scope::node, "", "Locked memory",
      "Mlocked in /proc/meminfo"},
     memory<&Memory::mlocked>},
    {{"allocd_node_memory_hugetlb_bytes", kGauge, Scope::node, "",
      "Memory set aside for reserved huge pages of all sizes, used or not", "Hugetlb in /proc/meminfo"},
     memory<&Memory::hugetlb>},
    {{"allocd_node_memory_swap_total_bytes", kGauge, Scope::node, "", "Swap", "SwapTotal in /proc/meminfo"},
     memory<&Memory::swap_total>},
    {{"allocd_node_memory_swap_free_bytes", kGauge, Scope::node, "", "Swap that is free",
      "SwapFree in /proc/meminfo"},
     memory<&Memory::swap_free>},
    {{"allocd_node_memory_thp_bytes", kGauge, Scope::node, "kind", "Memory in transparent huge pages",
      "AnonHugePages, ShmemHugePages and FileHugePages in /proc/meminfo"},
     thp_bytes},
    {{"allocd_node_memory_pressure_waiting_seconds_total", kCounter, Scope::node, "",
      "Time in which at least one task of the machine waited for memory; no sample while the kernel keeps no "
      "account of it",
      "some in /proc/pressure/memory"},
     pressure_waiting},
    {{"allocd_node_memory_pressure_stalled_seconds_total", kCounter, Scope::node, "",
      "Time in which all tasks waited for memory", "full in /proc/pressure/memory"},
     pressure_stalled},
    {{"allocd_node_hugetlb_pages", kGauge, Scope::node, "page_size", "Reserved huge pages",
      "nr_hugepages in sysfs"},
     pool<&node::HugetlbPool::pages>},
    {{"allocd_node_hugetlb_free_pages", kGauge, Scope::node, "page_size",
      "Reserved huge pages that nothing uses", "free_hugepages in sysfs"},
     pool<&node::HugetlbPool::free>},
    {{"allocd_node_hugetlb_reserved_pages", kGauge, Scope::node, "page_size",
      "Of the free ones, those that are promised", "resv_hugepages in sysfs"},
     pool<&node::HugetlbPool::reserved>},
    {{"allocd_node_hugetlb_surplus_pages", kGauge, Scope::node, "page_size",
      "Huge pages over the size of the pool", "surplus_hugepages in sysfs"},
     pool<&node::HugetlbPool::surplus>},
    {{"allocd_node_hugetlb_overcommit_pages", kGauge, Scope::node, "page_size",
      "Huge pages the pool may grow by", "nr_overcommit_hugepages in sysfs"},
     pool<&node::HugetlbPool::overcommit>},
    {{"allocd_node_numa_hugetlb_pages", kGauge, Scope::node, "node,page_size",
      "Reserved huge pages on one NUMA node", "nr_hugepages of the node in sysfs"},
     node_pool<&node::HugetlbNodePool::pages>},
    {{"allocd_node_numa_hugetlb_free_pages", kGauge, Scope::node, "node,page_size",
      "Reserved huge pages on the node that nothing uses", "free_hugepages of the node in sysfs"},
     node_pool<&node::HugetlbNodePool::free>},
    {{"allocd_node_numa_hugetlb_surplus_pages", kGauge, Scope::node, "node,page_size",
      "Huge pages on the node over the size of the pool", "surplus_hugepages of the node in sysfs"},
     node_pool<&node::HugetlbNodePool::surplus>},
    {{"allocd_node_iommu_mode", kGauge, Scope::node, "mode",
      "1 for what DMA of devices goes through, by the types of the IOMMU groups, 0 for the others",
      "iommu_groups in sysfs"},
     iommu_modes},
    {{"allocd_node_iommu_groups", kGauge, Scope::node, "kind", "IOMMU groups by the kernel's type of them",
      "type in iommu_groups in sysfs"},
     iommu_groups},
    {{"allocd_node_iommu_present", kGauge, Scope::node, "", "1 if an IOMMU is registered with the kernel",
      "class iommu in sysfs"},
     [](const Node& n, const Sink& out) {
       if (n.state.iommu.has_unit) out.add(*n.state.iommu.has_unit);
     }},
    {{"allocd_node_overcommit_mode", kGauge, Scope::node, "", "0 heuristic, 1 always, 2 never over the limit",
      "sysctl vm.overcommit_memory"},
     vm<&Vm::overcommit_memory>},
    {{"allocd_node_overcommit_ratio", kGauge, Scope::node, "",
      "Share of memory that counts for the limit of mode 2", "sysctl vm.overcommit_ratio"},
     [](const Node& n, const Sink& out) {
       if (const auto& percent = n.state.vm.overcommit_ratio)
         out.add(static_cast<double>(*percent) / kPercent);
     }},
    {{"allocd_node_swappiness", kGauge, Scope::node, "",
      "How readily anonymous memory is swapped out, 0 to 200", "sysctl vm.swappiness"},
     vm<&Vm::swappiness>},
    {{"allocd_node_min_free_bytes", kGauge, Scope::node, "", "Memory the kernel keeps free for itself",
      "sysctl vm.min_free_kbytes"},
     vm<&Vm::min_free>},
    {{"allocd_node_pinned_pages_acquired_total", kCounter, Scope::node, "",
      "Pages that drivers pinned for DMA", "nr_foll_pin_acquired in /proc/vmstat"},
     vm<&Vm::pins_acquired>},
    {{"allocd_node_pinned_pages_released_total", kCounter, Scope::node, "",
      "Pages that drivers let go again; acquired less released is what is pinned",
      "nr_foll_pin_released in /proc/vmstat"},
     vm<&Vm::pins_released>},
    {{"allocd_node_expectation_state", kGauge, Scope::node, "key,state",
      "1 for whether the machine is as was declared, 0 for the others; unknown: what is could not be read",
      "node: expect: in the configuration"},
     expectations},
    {{"allocd_node_read_errors", kGauge, Scope::node, "",
      "Files of the kernel that should have told something of the machine and did not", "the observer"},
     [](const Node& n, const Sink& out) { out.add(node::count_errors(n.state)); }},
};

}  // namespace

std::span<const Row> node_memory_rows() {
  return kRows;
}

}  // namespace allocd::metrics
