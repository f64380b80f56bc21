// SPDX-License-Identifier: Apache-2.0
// Machines that lack something, odd names and values, and this machine against other sources.
#include "node/read.hpp"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "node/parts.hpp"
#include "support/catch.hpp"
#include "support/machine_tree.hpp"

using namespace allocd;
using namespace allocd::node;

namespace {

const std::string kThp = "/sys/kernel/mm/transparent_hugepage";
const std::string kNodes = "/sys/devices/system/node";

Iommu with_groups(std::map<std::string, std::size_t> groups, std::size_t without_type = 0) {
  Iommu iommu;
  iommu.has_unit = true;
  iommu.group_count = without_type;
  for (const auto& [type, count] : groups) *iommu.group_count += count;
  iommu.groups = std::move(groups);
  return iommu;
}

}  // namespace

TEST_CASE("node: an empty machine has no figure, and no error") {
  const test::MachineTree tree;
  auto state = read_node(tree.root());
  CHECK(count_errors(state) == 0);
  CHECK_FALSE(state.problems.empty());
  state.problems.clear();
  NodeState nothing;
  nothing.thp.is_supported = false;
  nothing.hugetlb.emplace();
  nothing.iommu.has_unit = false;
  nothing.iommu.group_count = 0;
  nothing.iommu.mode = IommuMode::none;
  CHECK(state == nothing);
}

TEST_CASE("node: a kernel without THP is one thing missing, not ten") {
  const test::MachineTree tree("6.8-two-nodes");
  tree.remove(kThp);
  const auto state = read_node(tree.root());
  CHECK(state.thp.is_supported == false);
  CHECK(state.problems ==
        std::vector<ReadProblem>{{kThp, ProblemKind::missing, "No such file or directory"}});
}

TEST_CASE("node: a kernel without NUMA has no nodes") {
  const test::MachineTree tree("6.8-two-nodes");
  tree.remove(kNodes);
  const auto state = read_node(tree.root());
  CHECK(state.numa.nodes.empty());
  CHECK(is_missing(state, kNodes));
  CHECK(count_errors(state) == 0);
  REQUIRE(state.hugetlb);
  CHECK(state.hugetlb->front().nodes.empty());
}

TEST_CASE("node: a node without pools of its own is not missed in them") {
  const test::MachineTree tree("6.12-three-nodes");
  tree.remove(kNodes + "/node1/hugepages");
  const auto state = read_node(tree.root());
  CHECK(state.problems.empty());
  CHECK(state.hugetlb.value().front().nodes.size() == 2);
}

TEST_CASE("node: folders that look like ours are left alone") {
  const test::MachineTree tree("6.8-two-nodes");
  const auto before = read_node(tree.root());
  for (const std::string name : {"/hugepages-kB", "/hugepages-xkB", "/hugepages--1kB", "/hugepages-64",
                                 "/hugepages-64kBx", "/hugepages-18446744073709551615kB"}) {
    tree.write(kThp + name + "/enabled", "[always] never\n");
  }
  for (const std::string name : {"/node", "/nodeX", "/node-1", "/node99999999"})
    tree.make_directory(kNodes + name);
  tree.write("/sys/kernel/iommu_groups/devices/type", "identity\n");
  CHECK(read_node(tree.root()) == before);
}

TEST_CASE("node: distances that do not fit the nodes belong to nobody") {
  const test::MachineTree tree("6.12-three-nodes");
  tree.write(kNodes + "/node0/distance", "10 21\n");
  const auto state = read_node(tree.root());
  CHECK(state.numa.nodes.at(0).distances.empty());
  CHECK(state.numa.nodes.at(1).distances.size() == 3);
  REQUIRE(state.problems.size() == 1);
  CHECK(state.problems[0] ==
        ReadProblem{kNodes + "/node0/distance", ProblemKind::malformed, "unexpected content \"10 21\\x0a\""});
}

TEST_CASE("node: ids with holes keep their distances") {
  const test::MachineTree tree;
  for (const std::string id : {"0", "8", "250"})
    tree.write(kNodes + "/node" + id + "/distance", "10 20 80\n");
  const auto numa = read_node(tree.root()).numa;
  REQUIRE(numa.nodes.size() == 3);
  CHECK(numa.nodes[1].id == 8);
  CHECK(numa.nodes[1].distances == std::vector<NodeDistance>{{0, 10}, {8, 20}, {250, 80}});
}

TEST_CASE("node: a vendor's choice of words among numbers is no error") {
  const test::MachineTree tree("6.8-two-nodes");
  const auto before = read_node(tree.root());
  tree.write(kThp + "/khugepaged/vendor_mode", "fast [slow]\n");
  CHECK(read_node(tree.root()) == before);
  tree.write(kThp + "/khugepaged/vendor_count", "12\n");
  CHECK(read_node(tree.root()).thp.khugepaged.at("vendor_count") == 12);
}

TEST_CASE("node: hostile bytes are printable in what is said of them") {
  const test::MachineTree tree("6.8-two-nodes");
  tree.write(kThp + "/enabled", "\x1b]0;x\x07" + std::string(500, 'a'));
  const auto state = read_node(tree.root());
  CHECK(count_errors(state) == 1);
  const auto& what = state.problems.back().what;
  const auto problem = std::ranges::find(state.problems, ProblemKind::malformed, &ReadProblem::kind);
  REQUIRE(problem != state.problems.end());
  CHECK(problem->what.starts_with("unexpected content \"\\x1b]0;x\\x07aaa"));
  CHECK(problem->what.size() < 120);
  CHECK(std::ranges::all_of(what, [](char c) { return c >= 0x20 && c < 0x7F; }));
}

TEST_CASE("node: meminfo cut at the end of a line is cut") {
  const test::MachineTree tree("6.8-two-nodes");
  const auto& whole = tree.files().at("/proc/meminfo");
  tree.write("/proc/meminfo", whole.substr(0, whole.find("SwapTotal")));
  const auto state = read_node(tree.root());
  CHECK_FALSE(state.memory.total);
  CHECK(count_errors(state) == 1);
}

TEST_CASE("iommu: the groups are the proof") {
  CHECK(decide_iommu_mode(with_groups({{"DMA", 3}})) == IommuMode::translated);
  CHECK(decide_iommu_mode(with_groups({{"DMA-FQ", 3}, {"DMA", 1}})) == IommuMode::translated);
  CHECK(decide_iommu_mode(with_groups({{"identity", 3}})) == IommuMode::passthrough);
  CHECK(decide_iommu_mode(with_groups({{"identity", 3}, {"DMA-FQ", 1}})) == IommuMode::mixed);
  // Devices that a virtual machine has tell nothing of the host.
  CHECK(decide_iommu_mode(with_groups({{"identity", 3}, {"unmanaged", 1}})) == IommuMode::passthrough);
  CHECK(decide_iommu_mode(with_groups({{"unmanaged", 2}, {"blocked", 1}})) == IommuMode::unknown);
  CHECK(decide_iommu_mode(with_groups({{"unknown", 2}})) == IommuMode::unknown);
}

TEST_CASE("iommu: what was not read is not guessed") {
  CHECK(decide_iommu_mode(with_groups({{"identity", 3}}, 1)) == IommuMode::unknown);
  CHECK(decide_iommu_mode(with_groups({{"DMA", 3}}, 1)) == IommuMode::unknown);
  CHECK(decide_iommu_mode(with_groups({{"DMA", 3}, {"identity", 1}}, 1)) == IommuMode::mixed);
  Iommu iommu;
  CHECK(decide_iommu_mode(iommu) == IommuMode::unknown);
  iommu.group_count = 0;
  CHECK(decide_iommu_mode(iommu) == IommuMode::unknown);  // units not listed
  iommu.has_unit = true;
  CHECK(decide_iommu_mode(iommu) == IommuMode::unknown);  // for interrupts alone, maybe
  iommu.has_unit = false;
  CHECK(decide_iommu_mode(iommu) == IommuMode::none);
  iommu.options = {"intel_iommu=on", "iommu=pt"};  // asked for, but the machine has none
  CHECK(decide_iommu_mode(iommu) == IommuMode::none);
}

TEST_CASE("node: this machine, against what libc and the shell's tools see") {
  const auto root = host::Root::open();
  REQUIRE(root);
  const auto state = read_node(*root);
  struct sysinfo info{};
  REQUIRE(::sysinfo(&info) == 0);
  CHECK(state.memory.total == info.totalram * info.mem_unit);
  CHECK(state.memory.swap_total == info.totalswap * info.mem_unit);
  std::ifstream maps("/proc/sys/vm/max_map_count");
  std::uint64_t max_map_count = 0;
  REQUIRE(maps >> max_map_count);
  CHECK(state.vm.max_map_count == max_map_count);
  std::ifstream enabled(kThp + "/enabled");
  std::string menu;
  if (std::getline(enabled, menu)) {
    REQUIRE(state.thp.enabled);
    CHECK(menu.find("[" + *state.thp.enabled + "]") != std::string::npos);
  }
  std::size_t nodes = 0;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(kNodes, none)) {
    const auto name = entry.path().filename().string();
    if (name.size() > 4 && name.starts_with("node") && name[4] >= '0' && name[4] <= '9') ++nodes;
  }
  CHECK(state.numa.nodes.size() == nodes);
}
