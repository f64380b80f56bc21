// SPDX-License-Identifier: Apache-2.0
// Documentation/admin-guide/mm/hugetlbpage.rst.
#include <fmt/format.h>

#include "kernel/node_paths.hpp"
#include "node/parts.hpp"
#include "node/read.hpp"

namespace allocd::node {

namespace {

HugetlbPool read_pool(Reader& reader, const Folder& parent, const NumberedName& size) {
  HugetlbPool pool;
  pool.page_bytes = size.number;
  const auto folder = reader.open_inside(parent, size.name);
  if (!folder) return pool;
  pool.pages = reader.number(*folder, "nr_hugepages");
  pool.free = reader.number(*folder, "free_hugepages");
  pool.reserved = reader.number(*folder, "resv_hugepages");
  pool.surplus = reader.number(*folder, "surplus_hugepages");
  pool.overcommit = reader.number(*folder, "nr_overcommit_hugepages");
  return pool;
}

// A node without memory has no pools: their folder is not missed.
void read_node_pools(Reader& reader, const NumaNode& node, const std::vector<NumberedName>& sizes,
                     std::vector<HugetlbPool>& pools) {
  const auto parent =
      reader.open(fmt::format("{}/node{}/hugepages", kernel::kNodeFolder, node.id), WhenMissing::ignore);
  if (!parent) return;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto folder = reader.open_inside(*parent, sizes[i].name);
    if (!folder) continue;
    HugetlbNodePool pool;
    pool.node = node.id;
    pool.pages = reader.number(*folder, "nr_hugepages");
    pool.free = reader.number(*folder, "free_hugepages");
    pool.surplus = reader.number(*folder, "surplus_hugepages");
    pools[i].nodes.push_back(pool);
  }
}

}  // namespace

std::optional<std::vector<HugetlbPool>> read_hugetlb(Reader& reader, const std::vector<NumaNode>& nodes) {
  std::vector<HugetlbPool> pools;
  const auto folder = reader.open(kernel::kHugetlbFolder);
  if (!folder) return reader.is_missing(kernel::kHugetlbFolder) ? std::optional(pools) : std::nullopt;
  const auto sizes = list_page_sizes(reader, *folder, kMaxHugetlbSizes);
  if (!sizes) return std::nullopt;
  for (const auto& size : *sizes) pools.push_back(read_pool(reader, *folder, size));
  for (const auto& node : nodes) read_node_pools(reader, node, *sizes, pools);
  return pools;
}

}  // namespace allocd::node
