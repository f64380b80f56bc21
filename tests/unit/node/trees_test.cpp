// SPDX-License-Identifier: Apache-2.0
// What is read of whole machines; tests/fixtures/node/README.md says where each comes from.
#include <algorithm>
#include <string>
#include <vector>

#include "node/read.hpp"
#include "support/catch.hpp"
#include "support/machine_tree.hpp"

using namespace allocd;
using namespace allocd::node;

namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;

std::vector<std::string> missing_paths(const NodeState& state) {
  std::vector<std::string> paths;
  for (const auto& problem : state.problems) {
    if (problem.kind == ProblemKind::missing) paths.push_back(problem.path);
  }
  return paths;
}

const HugetlbPool& pool_of(const NodeState& state, std::uint64_t bytes) {
  REQUIRE(state.hugetlb);
  const auto pool = std::ranges::find(*state.hugetlb, bytes, &HugetlbPool::page_bytes);
  REQUIRE(pool != state.hugetlb->end());
  return *pool;
}

const std::string kShrink = "/sys/kernel/mm/transparent_hugepage/shrink_underused";

}  // namespace

TEST_CASE("trees: kernel 6.18, one node, files no other kernel has") {
  const test::MachineTree tree("6.18-one-node");
  const auto state = read_node(tree.root());
  CHECK(state.problems.empty());
  CHECK(state.thp.is_supported == true);
  CHECK(state.thp.enabled == "madvise");
  CHECK(state.thp.defrag == "madvise");
  CHECK(state.thp.shmem_enabled == "never");
  CHECK(state.thp.use_zero_page == true);
  CHECK(state.thp.shrink_underused == true);
  CHECK(state.thp.pmd_bytes == 2 * kMiB);
  CHECK(state.thp.khugepaged.size() == 9);
  CHECK(state.thp.khugepaged.at("max_ptes_none") == 511);
  CHECK(state.thp.events.size() == 25);
  CHECK(state.thp.events.contains("thp_underused_split_page"));
  REQUIRE(state.thp.sizes.size() == 9);
  CHECK(state.thp.sizes.front().bytes == 8 * kKiB);
  CHECK_FALSE(state.thp.sizes.front().enabled);  // too small for anonymous memory
  CHECK(state.thp.sizes.front().shmem_enabled == "never");
  CHECK(state.thp.sizes.back().bytes == 2 * kMiB);
  CHECK(state.thp.sizes.back().enabled == "inherit");
  CHECK(state.thp.sizes.back().stats.size() == 18);
  CHECK(state.thp.sizes.back().stats.contains("anon_fault_declined"));  // this vendor's own
  REQUIRE(state.numa.nodes.size() == 1);
  CHECK(state.numa.nodes[0].cpus == "0-1");
  CHECK(state.numa.balancing == 0);
  CHECK(state.iommu.mode == IommuMode::none);
  CHECK(state.vm.pins_acquired == state.vm.pins_released);
  CHECK(state.memory.total == 24684084 * kKiB);
  CHECK(state.memory.pressure);
}

TEST_CASE("trees: kernel 6.1, eight nodes, translated DMA") {
  const test::MachineTree tree("6.1-eight-nodes");
  const auto state = read_node(tree.root());
  CHECK(missing_paths(state) == std::vector{kShrink});
  CHECK(count_errors(state) == 0);
  CHECK(state.thp.enabled == "always");
  CHECK(state.thp.sizes.empty());
  REQUIRE(state.numa.nodes.size() == 8);
  for (unsigned id = 0; id < 8; ++id) {
    const auto& node = state.numa.nodes[id];
    CAPTURE(id);
    CHECK(node.id == id);
    CHECK(node.has_cpu == true);
    CHECK(node.has_memory == true);
    CHECK(node.cpus == std::to_string(id));
    REQUIRE(node.distances.size() == 8);
    CHECK(node.distances[id] == NodeDistance{id, 10});
    CHECK(node.distances[(id + 4) % 8] == NodeDistance{(id + 4) % 8, 32});
    CHECK(node.numastat.size() == 6);
    CHECK(*node.memory.total == *node.memory.free + *node.memory.used);
  }
  CHECK(state.numa.balancing == 1);
  const auto& pool = pool_of(state, 2 * kMiB);
  CHECK(pool.pages == 16);
  CHECK(pool.overcommit == 3);
  std::uint64_t pages = 0;
  for (const auto& node : pool.nodes) pages += *node.pages;
  CHECK(pool.nodes.size() == 8);
  CHECK(pages == 16);
  CHECK(state.iommu.options == std::vector<std::string>{"intel_iommu=on"});
  CHECK(state.iommu.has_unit == true);
  CHECK(state.iommu.groups == std::map<std::string, std::size_t>{{"DMA-FQ", 5}});
  CHECK(state.iommu.mode == IommuMode::translated);
}

TEST_CASE("trees: kernel 6.12, a node without memory and one without CPUs, passthrough") {
  const test::MachineTree tree("6.12-three-nodes");
  const auto state = read_node(tree.root());
  CHECK(state.problems.empty());
  REQUIRE(state.numa.nodes.size() == 3);
  const auto& without_memory = state.numa.nodes[1];
  CHECK(without_memory.has_memory == false);
  CHECK(without_memory.has_cpu == true);
  CHECK(without_memory.cpus == "2-3");
  CHECK(without_memory.memory.total == 0);
  const auto& without_cpu = state.numa.nodes[2];
  CHECK(without_cpu.has_memory == true);
  CHECK(without_cpu.has_cpu == false);
  CHECK(without_cpu.cpus == "");
  CHECK(without_cpu.memory.total == 218732 * kKiB);
  CHECK(without_cpu.distances == std::vector<NodeDistance>{{0, 17}, {1, 28}, {2, 10}});
  REQUIRE(state.thp.sizes.size() == 9);
  CHECK_FALSE(state.thp.sizes.front().enabled);  // 8 KiB: for shared memory alone
  CHECK(state.thp.sizes.front().shmem_enabled == "never");
  CHECK(state.thp.sizes.back().stats.contains("anon_fault_alloc"));
  // Eight pages in all hide a node that has none.
  CHECK(pool_of(state, 2 * kMiB).pages == 8);
  CHECK(pool_of(state, 2 * kMiB).nodes[1].pages == 0);
  CHECK(state.iommu.mode == IommuMode::passthrough);
  CHECK(state.iommu.options == std::vector<std::string>{"intel_iommu=on", "iommu=pt"});
}

TEST_CASE("trees: kernel 6.12, two nodes with memory of every kind in use") {
  const test::MachineTree tree("6.12-two-nodes");
  const auto state = read_node(tree.root());
  CHECK(state.problems.empty());
  REQUIRE(state.numa.nodes.size() == 2);
  const auto& nodes = state.numa.nodes;
  CHECK(nodes[0].cpus == "0-1");
  CHECK(nodes[1].cpus == "2-3");
  CHECK(nodes[1].distances == std::vector<NodeDistance>{{0, 21}, {1, 10}});
  CHECK(nodes[0].memory.anon_huge == 53248 * kKiB);
  CHECK(nodes[1].memory.mlocked == 16352 * kKiB);
  CHECK(nodes[0].numastat.at("interleave_hit") == 9136);
  CHECK(nodes[1].numastat.at("other_node") == 19729);
  const auto& pool = pool_of(state, 2 * kMiB);
  CHECK(pool.free == 48);
  REQUIRE(pool.nodes.size() == 2);
  CHECK(pool.nodes[0].free == 23);
  CHECK(pool.nodes[1].free == 25);
  CHECK(pool_of(state, kGiB).pages == 0);
  CHECK(state.thp.events.at("thp_fault_alloc") == 59);
  CHECK(state.memory.swap_total == 196604 * kKiB);
  CHECK(state.memory.swap_free == 146128 * kKiB);
  CHECK(state.memory.hugetlb == 128 * kMiB);
  REQUIRE(state.memory.pressure);
  CHECK(state.memory.pressure->some.total_microseconds == 2104130);
  CHECK(state.iommu.mode == IommuMode::translated);
  CHECK(state.iommu.groups == std::map<std::string, std::size_t>{{"DMA-FQ", 7}});
}

TEST_CASE("trees: kernel 5.14, and what a command line alone would get wrong") {
  const test::MachineTree tree("5.14-two-nodes");
  const auto state = read_node(tree.root());
  CHECK(missing_paths(state) == std::vector{kShrink});
  CHECK(state.iommu.options == std::vector<std::string>{"amd_iommu=on", "iommu=pt"});
  CHECK(state.iommu.groups == std::map<std::string, std::size_t>{{"DMA", 2}, {"identity", 3}});
  CHECK(state.iommu.mode == IommuMode::mixed);
  CHECK_FALSE(state.thp.events.contains("thp_scan_exceed_none_pte"));
  CHECK(state.numa.nodes.at(1).cpus == "32-63,96-127");
}

TEST_CASE("trees: kernel 6.8, sizes without statistics") {
  const test::MachineTree tree("6.8-two-nodes");
  const auto state = read_node(tree.root());
  CHECK(missing_paths(state) == std::vector{kShrink});
  REQUIRE(state.thp.sizes.size() == 8);
  for (const auto& size : state.thp.sizes) {
    CHECK(size.enabled == (size.bytes == 2 * kMiB ? "inherit" : "never"));
    CHECK_FALSE(size.shmem_enabled);
    CHECK(size.stats.empty());
  }
  CHECK(state.iommu.mode == IommuMode::none);
  CHECK(state.iommu.options.value().empty());
}

TEST_CASE("trees: arm64 with 64 KiB pages") {
  const test::MachineTree tree("arm64-64k-pages");
  const auto state = read_node(tree.root());
  CHECK(state.problems.empty());
  CHECK(state.thp.pmd_bytes == 512 * kMiB);
  CHECK(state.thp.khugepaged.at("max_ptes_none") == 8191);
  REQUIRE(state.thp.sizes.size() == 13);
  CHECK(state.thp.sizes.front().bytes == 128 * kKiB);
  CHECK(state.thp.sizes.back().bytes == 512 * kMiB);
  REQUIRE(state.hugetlb);
  REQUIRE(state.hugetlb->size() == 3);
  CHECK((*state.hugetlb)[2].page_bytes == 16 * kGiB);
  CHECK(pool_of(state, 512 * kMiB).pages == 6);
  CHECK(state.numa.nodes.at(1).has_cpu == false);
  CHECK(state.numa.nodes.at(0).distances.at(1) == NodeDistance{1, 80});
  CHECK(state.iommu.groups == std::map<std::string, std::size_t>{{"DMA", 2}, {"unmanaged", 1}});
  CHECK(state.iommu.mode == IommuMode::translated);
}
