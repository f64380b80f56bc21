// SPDX-License-Identifier: Apache-2.0
#include "node/locality.hpp"

#include <algorithm>
#include <cstdint>

#include "kernel/attribute.hpp"

namespace allocd::node {

namespace {

bool contains(std::span<const unsigned> ids, unsigned id) {
  return std::ranges::find(ids, id) != ids.end();
}

std::vector<unsigned> find_nearest(const NumaNode& node, std::span<const unsigned> memory_nodes) {
  if (contains(memory_nodes, node.id)) return {node.id};
  std::uint64_t least = UINT64_MAX;
  std::vector<unsigned> nearest;
  for (const auto& [to, distance] : node.distances) {
    if (!contains(memory_nodes, to) || distance > least) continue;
    if (distance < least) nearest.clear();
    least = distance;
    nearest.push_back(to);
  }
  std::ranges::sort(nearest);
  return nearest;
}

void unite(std::vector<unsigned>& all, std::span<const unsigned> more) {
  for (const unsigned id : more) {
    if (!contains(all, id)) all.push_back(id);
  }
}

}  // namespace

NodeMap::NodeMap(const Numa& numa) : is_known_(!numa.nodes.empty()) {
  for (const auto& node : numa.nodes) {
    if (node.has_memory == true) memory_nodes_.push_back(node.id);
    const auto cpus = node.cpus ? kernel::parse_ids(*node.cpus) : std::nullopt;
    is_known_ = is_known_ && cpus && node.has_memory;
    for (const unsigned cpu : cpus.value_or(std::vector<unsigned>{})) {
      if (cpus_.size() <= cpu) cpus_.resize(cpu + 1);
      cpus_[cpu] = node.id;
    }
  }
  std::ranges::sort(memory_nodes_);
  for (const auto& node : numa.nodes) places_.push_back({node.id, find_nearest(node, memory_nodes_)});
}

std::vector<unsigned> NodeMap::nearest_memory(unsigned node) const {
  const auto place = std::ranges::find(places_, node, &Place::id);
  return place == places_.end() || !is_known_ ? std::vector<unsigned>{} : place->nearest;
}

std::vector<unsigned> NodeMap::online(std::span<const unsigned> cpus) const {
  std::vector<unsigned> kept(cpus.begin(), cpus.end());
  if (is_known_) std::erase_if(kept, [&](unsigned cpu) { return cpu >= cpus_.size() || !cpus_[cpu]; });
  return kept;
}

std::vector<unsigned> NodeMap::nodes_of_cpus(std::span<const unsigned> cpus) const {
  if (!is_known_) return {};
  std::vector<unsigned> own;
  for (const unsigned cpu : online(cpus)) {
    if (!contains(own, *cpus_[cpu])) own.push_back(*cpus_[cpu]);
  }
  std::vector<unsigned> nodes;
  for (const unsigned node : own) unite(nodes, nearest_memory(node));
  std::ranges::sort(nodes);
  return nodes;
}

std::optional<double> NodeMap::off_share(const kernel::NodeTable& table,
                                         std::span<const unsigned> home) const {
  using kernel::NodeKind;
  const bool is_everywhere =
      std::ranges::all_of(memory_nodes_, [&](unsigned node) { return contains(home, node); });
  if (!is_known_ || home.empty() || table.empty() || is_everywhere) return std::nullopt;
  double all = 0;
  double off = 0;
  for (const auto& [node, figures] : table) {
    if (!figures[NodeKind::anon] || !figures[NodeKind::file]) return std::nullopt;
    const double bytes =
        static_cast<double>(*figures[NodeKind::anon]) + static_cast<double>(*figures[NodeKind::file]);
    all += bytes;
    if (!contains(home, node)) off += bytes;
  }
  return all > 0 ? std::optional(off / all) : std::nullopt;
}

}  // namespace allocd::node
