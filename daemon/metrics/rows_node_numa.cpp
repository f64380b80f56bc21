// SPDX-License-Identifier: Apache-2.0
// Metrics of the machine's NUMA nodes.
#include <string>

#include "metrics/rows.hpp"

namespace allocd::metrics {
namespace {

using node::NodeMemory;
using node::NumaNode;
using snapshot::Node;

constexpr Type kGauge = Type::gauge;
constexpr Type kCounter = Type::counter;

void for_each_node(const Node& node, auto&& visit) {
  for (const NumaNode& one : node.state.numa.nodes) {
    const std::string id = std::to_string(one.id);
    visit(one, std::string_view(id));
  }
}

template <auto Member>
void numa_flag(const Node& node, const Sink& out) {
  for_each_node(node, [&](const NumaNode& one, std::string_view id) {
    if (one.*Member) out.add(*(one.*Member), {{"node", id}});
  });
}
template <auto Member>
void numa_memory(const Node& node, const Sink& out) {
  for_each_node(
      node, [&](const NumaNode& one, std::string_view id) { out.add(one.memory.*Member, {{"node", id}}); });
}

// n * n series: shown while that is a table somebody can read.
constexpr std::size_t kMostForDistances = 16;

void numa_distances(const Node& node, const Sink& out) {
  if (node.state.numa.nodes.size() > kMostForDistances) return;
  for_each_node(node, [&](const NumaNode& one, std::string_view id) {
    for (const auto& other : one.distances) {
      const std::string to = std::to_string(other.to);
      out.add(other.distance, {{"node", id}, {"to", to}});
    }
  });
}

void numa_kinds(const Node& node, const Sink& out) {
  for_each_node(node, [&](const NumaNode& one, std::string_view id) {
    out.add(one.memory.anon, {{"node", id}, {"kind", "anon"}});
    out.add(one.memory.file, {{"node", id}, {"kind", "file"}});
    const auto& slab = one.memory.slab_reclaimable;
    const auto& unreclaimable = one.memory.slab_unreclaimable;
    if (slab && unreclaimable) out.add(*slab + *unreclaimable, {{"node", id}, {"kind", "slab"}});
    out.add(one.memory.page_tables, {{"node", id}, {"kind", "pagetables"}});
  });
}

void numa_thp(const Node& node, const Sink& out) {
  for_each_node(node, [&](const NumaNode& one, std::string_view id) {
    out.add(one.memory.anon_huge, {{"node", id}, {"kind", "anon"}});
    out.add(one.memory.shmem_huge, {{"node", id}, {"kind", "shmem"}});
    out.add(one.memory.file_huge, {{"node", id}, {"kind", "file"}});
  });
}

void numa_pages(const Node& node, const Sink& out) {
  for_each_node(node, [&](const NumaNode& one, std::string_view id) {
    for (const auto& [event, count] : one.numastat) out.add(count, {{"node", id}, {"event", event}});
  });
}

constexpr Row kRows[] = {
    {{"allocd_node_numa_has_cpus", kGauge, Scope::node, "node", "1 if the node has CPUs",
      "has_cpu of node in sysfs"},
     numa_flag<&NumaNode::has_cpu>},
    {{"allocd_node_numa_has_memory", kGauge, Scope::node, "node", "1 if the node has memory",
      "has_memory of node in sysfs"},
     numa_flag<&NumaNode::has_memory>},
    {{"allocd_node_numa_distance", kGauge, Scope::node, "node,to",
      "How far the memory of another node is: 10 is here; no sample on a machine of more than 16 nodes",
      "distance of the node in sysfs"},
     numa_distances},
    {{"allocd_node_numa_memory_total_bytes", kGauge, Scope::node, "node", "Memory of the node",
      "MemTotal of the node"},
     numa_memory<&NodeMemory::total>},
    {{"allocd_node_numa_memory_free_bytes", kGauge, Scope::node, "node",
      "Memory of the node that nothing uses, not even as page cache", "MemFree of the node"},
     numa_memory<&NodeMemory::free>},
    {{"allocd_node_numa_memory_kind_bytes", kGauge, Scope::node, "node,kind",
      "Memory of the node in use, by kind; file includes shared memory",
      "AnonPages, FilePages, SReclaimable and SUnreclaim, PageTables of the node"},
     numa_kinds},
    {{"allocd_node_numa_memory_shmem_bytes", kGauge, Scope::node, "node",
      "Shared memory on the node; a part of file", "Shmem of the node"},
     numa_memory<&NodeMemory::shmem>},
    {{"allocd_node_numa_memory_thp_bytes", kGauge, Scope::node, "node,kind",
      "Memory of the node in transparent huge pages, a part of its kind",
      "AnonHugePages, ShmemHugePages and FileHugePages of the node"},
     numa_thp},
    {{"allocd_node_numa_pages_total", kCounter, Scope::node, "node,event",
      "Allocations of pages by where they were wanted and where they came from, named by the kernel",
      "numastat of the node in sysfs"},
     numa_pages},
    {{"allocd_node_numa_balancing_mode", kGauge, Scope::node, "",
      "Automatic NUMA balancing: 0 off, 1 on, 2 memory tiering; no sample without NUMA",
      "sysctl kernel.numa_balancing"},
     [](const Node& n, const Sink& out) { out.add(n.state.numa.balancing); }},
    {{"allocd_node_zone_reclaim_mode", kGauge, Scope::node, "",
      "What is reclaimed before another node is used: a sum of 1 reclaim, 2 write out, 4 unmap; no sample "
      "without NUMA",
      "sysctl vm.zone_reclaim_mode"},
     [](const Node& n, const Sink& out) { out.add(n.state.vm.zone_reclaim_mode); }},
};

}  // namespace

std::span<const Row> node_numa_rows() {
  return kRows;
}

}  // namespace allocd::metrics
