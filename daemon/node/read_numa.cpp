// SPDX-License-Identifier: Apache-2.0
// Documentation/ABI/stable/sysfs-devices-node, Documentation/admin-guide/numastat.rst.
#include <algorithm>
#include <array>
#include <utility>

#include "kernel/counters.hpp"
#include "kernel/node_paths.hpp"
#include "node/meminfo_figures.hpp"
#include "node/parts.hpp"
#include "node/read.hpp"

namespace allocd::node {

namespace {

constexpr std::array kNodeFigures{
    MeminfoFigure{"MemTotal", &NodeMemory::total},
    MeminfoFigure{"MemFree", &NodeMemory::free},
    MeminfoFigure{"MemUsed", &NodeMemory::used},
    MeminfoFigure{"FilePages", &NodeMemory::file},
    MeminfoFigure{"Mapped", &NodeMemory::mapped},
    MeminfoFigure{"AnonPages", &NodeMemory::anon},
    MeminfoFigure{"Shmem", &NodeMemory::shmem},
    MeminfoFigure{"AnonHugePages", &NodeMemory::anon_huge},
    MeminfoFigure{"ShmemHugePages", &NodeMemory::shmem_huge},
    MeminfoFigure{"FileHugePages", &NodeMemory::file_huge},
    MeminfoFigure{"SReclaimable", &NodeMemory::slab_reclaimable},
    MeminfoFigure{"SUnreclaim", &NodeMemory::slab_unreclaimable},
    MeminfoFigure{"KernelStack", &NodeMemory::kernel_stack},
    MeminfoFigure{"PageTables", &NodeMemory::page_tables},
    MeminfoFigure{"Dirty", &NodeMemory::dirty},
    MeminfoFigure{"Writeback", &NodeMemory::writeback},
    MeminfoFigure{"Unevictable", &NodeMemory::unevictable},
    MeminfoFigure{"Mlocked", &NodeMemory::mlocked},
};

std::optional<NodeMemory> parse_node_memory(std::string_view text) {
  auto memory = parse_figures<NodeMemory>(text, kNodeFigures);
  if (memory && (!memory->total || !memory->free)) return std::nullopt;  // cut short, at a line's end
  return memory;
}

std::optional<Counters> parse_counters(std::string_view text) {
  Counters counters;
  const bool is_whole = kernel::visit_counters(
      text, [&](const kernel::Counter& counter) { counters.emplace(counter.name, counter.value); });
  return is_whole ? std::optional(std::move(counters)) : std::nullopt;
}

// The list as the kernel writes it, once it has been understood.
Word parse_cpus(std::string_view text) {
  return kernel::parse_id_list(text) ? Word(kernel::parse_line(text)) : std::nullopt;
}

// The file has one number for each online node, in the order of their ids, and each online node has a folder.
std::vector<NodeDistance> read_distances(Reader& reader, const Folder& folder,
                                         const std::vector<NumberedName>& nodes) {
  const auto numbers = reader.parsed(folder, "distance",
                                     [&](std::string_view text) -> std::optional<std::vector<std::uint64_t>> {
                                       auto found = kernel::parse_numbers(text);
                                       return found && found->size() == nodes.size() ? found : std::nullopt;
                                     });
  std::vector<NodeDistance> distances;
  if (!numbers) return distances;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    distances.push_back({static_cast<unsigned>(nodes[i].number), (*numbers)[i]});
  }
  return distances;
}

NumaNode read_one(Reader& reader, const Folder& parent, const NumberedName& name,
                  const std::vector<NumberedName>& all) {
  NumaNode node;
  node.id = static_cast<unsigned>(name.number);
  const auto folder = reader.open_inside(parent, name.name);
  if (!folder) return node;
  node.cpus = reader.parsed(*folder, "cpulist", parse_cpus);
  node.distances = read_distances(reader, *folder, all);
  node.memory = reader.parsed(*folder, "meminfo", parse_node_memory).value_or(NodeMemory{});
  node.numastat = reader.parsed(*folder, "numastat", parse_counters).value_or(Counters{});
  return node;
}

std::optional<bool> is_among(const std::optional<std::vector<unsigned>>& ids, unsigned id) {
  if (!ids) return std::nullopt;
  return std::ranges::binary_search(*ids, id);
}

}  // namespace

Numa read_numa(Reader& reader) {
  Numa numa;
  numa.balancing = reader.parsed_at(kernel::kNumaBalancingPath, kernel::parse_number);
  const auto folder = reader.open(kernel::kNodeFolder);
  if (!folder) return numa;
  auto names = list_numbered(reader, *folder, "node", "", kMaxNodes);
  if (!names) return numa;
  std::erase_if(*names, [](const NumberedName& name) { return name.number > kernel::kMaxId; });
  const auto with_cpu = reader.parsed(*folder, "has_cpu", kernel::parse_id_list);
  const auto with_memory = reader.parsed(*folder, "has_memory", kernel::parse_id_list);
  for (const auto& name : *names) {
    numa.nodes.push_back(read_one(reader, *folder, name, *names));
    numa.nodes.back().has_cpu = is_among(with_cpu, numa.nodes.back().id);
    numa.nodes.back().has_memory = is_among(with_memory, numa.nodes.back().id);
  }
  return numa;
}

}  // namespace allocd::node
