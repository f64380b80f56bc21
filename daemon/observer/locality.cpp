// SPDX-License-Identifier: Apache-2.0
#include "observer/locality.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "kernel/attribute.hpp"

namespace allocd::observer {

namespace {

using Ids = std::vector<unsigned>;

// set_mempolicy(2), as systemd numbers NUMAPolicy=.
snapshot::NumaPolicy to_policy(const std::optional<int>& policy) {
  using snapshot::NumaPolicy;
  if (!policy) return NumaPolicy::unset;
  switch (*policy) {
    case 0:
      return NumaPolicy::kernel_default;
    case 1:
      return NumaPolicy::preferred;
    case 2:
      return NumaPolicy::bind;
    case 3:
      return NumaPolicy::interleave;
    case 4:
      return NumaPolicy::local;
    default:
      return NumaPolicy::unknown;
  }
}

// "0-3,8"
std::string render_ids(const Ids& ids) {
  std::string text;
  for (std::size_t i = 0; i < ids.size();) {
    std::size_t last = i;
    while (last + 1 < ids.size() && ids[last + 1] == ids[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += last == i ? fmt::format("{}", ids[i]) : fmt::format("{}-{}", ids[i], ids[last]);
    i = last + 1;
  }
  return text;
}

// Processes of a unit mostly have the same lists: each is parsed once.
std::map<std::string_view, std::uint32_t> count_by(const snapshot::Unit& unit,
                                                   std::string snapshot::Placement::* list) {
  std::map<std::string_view, std::uint32_t> counts;
  for (const auto& process : unit.processes) {
    if (!(process.placement.*list).empty()) ++counts[process.placement.*list];
  }
  return counts;
}

bool is_subset(const Ids& part, const Ids& whole) {
  return std::ranges::includes(whole, part);
}

void add_cpus(const node::NodeMap& nodes, snapshot::Unit& unit) {
  auto& locality = unit.locality;
  const auto affinity = nodes.online(kernel::parse_ids(locality.cpu_affinity).value_or(Ids{}));
  std::set<unsigned> homes;
  for (const auto& [list, processes] : count_by(unit, &snapshot::Placement::cpus_allowed)) {
    const auto cpus = kernel::parse_ids(list);
    if (!cpus) continue;
    homes.merge([&] {
      const auto found = nodes.nodes_of_cpus(*cpus);
      return std::set<unsigned>(found.begin(), found.end());
    }());
    if (!affinity.empty() && nodes.online(*cpus) != affinity) locality.cpus_differ += processes;
  }
  locality.cpu_nodes.assign(homes.begin(), homes.end());
}

void add_memory_nodes(snapshot::Unit& unit) {
  auto& locality = unit.locality;
  if (locality.policy_nodes.empty()) return;
  for (const auto& [list, processes] : count_by(unit, &snapshot::Placement::mems_allowed)) {
    const auto allowed = kernel::parse_ids(list);
    if (allowed && !is_subset(locality.policy_nodes, *allowed)) locality.mems_differ += processes;
  }
}

void add_gpus(const node::NodeMap& nodes, const std::map<std::string, unsigned>& gpu_nodes,
              snapshot::Unit& unit) {
  std::set<unsigned> homes;
  for (const auto& process : unit.processes) {
    for (const auto& gpu : process.placement.gpus) {
      const auto node = gpu_nodes.find(gpu);
      // One GPU whose node is not known may be on any: then the unit's home is not known either.
      if (node == gpu_nodes.end()) return;
      for (const unsigned near : nodes.nearest_memory(node->second)) homes.insert(near);
    }
  }
  unit.locality.gpu_nodes.assign(homes.begin(), homes.end());
}

}  // namespace

void add_unit_placement(const host::UnitFacts& facts, snapshot::Unit& unit) {
  unit.locality.cpu_affinity = render_ids(facts.cpu_affinity);
  unit.locality.policy = to_policy(facts.numa_policy);
  if (facts.numa_policy) unit.locality.policy_nodes = facts.numa_mask;
}

void add_locality(const node::NodeMap& nodes, const std::map<std::string, unsigned>& gpu_nodes,
                  snapshot::Unit& unit) {
  add_cpus(nodes, unit);
  add_memory_nodes(unit);
  add_gpus(nodes, gpu_nodes, unit);
  if (!unit.cgroup.memory) return;
  auto& locality = unit.locality;
  const auto& table = unit.cgroup.memory->nodes;
  locality.off_cpus = nodes.off_share(table, locality.cpu_nodes);
  locality.off_gpus = nodes.off_share(table, locality.gpu_nodes);
  locality.off_policy = nodes.off_share(table, locality.policy_nodes);
}

}  // namespace allocd::observer
