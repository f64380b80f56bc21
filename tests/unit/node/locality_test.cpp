// SPDX-License-Identifier: Apache-2.0
#include "node/locality.hpp"

#include <vector>

#include "kernel/attribute.hpp"
#include "node/read.hpp"
#include "support/catch.hpp"
#include "support/machine_tree.hpp"

using namespace allocd;
using kernel::NodeKind;
using node::NodeMap;
using Ids = std::vector<unsigned>;

namespace {

node::NumaNode make_node(unsigned id, const std::string& cpus, bool has_memory,
                         const std::vector<std::uint64_t>& distances) {
  node::NumaNode node;
  node.id = id;
  node.cpus = cpus;
  node.has_cpu = !cpus.empty();
  node.has_memory = has_memory;
  for (unsigned to = 0; to < distances.size(); ++to) node.distances.push_back({to, distances[to]});
  return node;
}

// Two nodes with both, one of CPUs alone that is nearer to node 1, one of memory alone.
NodeMap four_nodes() {
  node::Numa numa;
  numa.nodes = {make_node(0, "0-3,8", true, {10, 21, 31, 41}), make_node(1, "4-7", true, {21, 10, 15, 41}),
                make_node(2, "9", false, {31, 15, 10, 41}), make_node(3, "", true, {41, 41, 41, 10})};
  return NodeMap(numa);
}

kernel::NodeTable table(const std::vector<std::uint64_t>& anon, const std::vector<std::uint64_t>& file) {
  kernel::NodeTable nodes;
  for (unsigned i = 0; i < anon.size(); ++i) {
    nodes[i][NodeKind::anon] = anon[i];
    nodes[i][NodeKind::file] = file[i];
  }
  return nodes;
}

}  // namespace

TEST_CASE("locality: the nodes of CPUs") {
  const auto map = four_nodes();
  CHECK(map.nodes_of_cpus(Ids{0, 8}) == Ids{0});
  CHECK(map.nodes_of_cpus(Ids{7, 0}) == Ids{0, 1});
  CHECK(map.nodes_of_cpus(Ids{}) == Ids{});
}

TEST_CASE("locality: CPUs without memory of their own are near the nearest") {
  const auto map = four_nodes();
  CHECK(map.nodes_of_cpus(Ids{9}) == Ids{1});
  CHECK(map.nearest_memory(3) == Ids{3});
  CHECK(map.nearest_memory(77) == Ids{});
}

TEST_CASE("locality: a CPU that is offline belongs nowhere, and takes no other along") {
  const auto map = four_nodes();
  CHECK(map.nodes_of_cpus(Ids{100}) == Ids{});
  CHECK(map.nodes_of_cpus(Ids{3, 100}) == Ids{0});
  CHECK(map.online(Ids{3, 100}) == Ids{3});
}

TEST_CASE("locality: the share of memory elsewhere is of anonymous and file memory") {
  const auto map = four_nodes();
  const auto nodes = table({60, 20, 0, 0}, {10, 0, 0, 10});
  CHECK(map.off_share(nodes, Ids{0}) == 0.3);
  CHECK(map.off_share(nodes, Ids{0, 1}) == 0.1);
  CHECK(map.off_share(table({1, 0, 0, 0}, {0, 0, 0, 0}), Ids{0}) == 0.0);
}

TEST_CASE("locality: no share where there is nothing to tell") {
  const auto map = four_nodes();
  const auto nodes = table({60, 20, 0, 0}, {10, 0, 0, 10});
  CHECK_FALSE(map.off_share(nodes, Ids{}));
  CHECK_FALSE(map.off_share(nodes, Ids{0, 1, 3}));  // every node that has memory
  CHECK_FALSE(map.off_share({}, Ids{0}));
  CHECK_FALSE(map.off_share(table({0, 0, 0, 0}, {0, 0, 0, 0}), Ids{0}));
  auto incomplete = nodes;
  incomplete[1][NodeKind::file].reset();
  CHECK_FALSE(map.off_share(incomplete, Ids{0}));
}

TEST_CASE("locality: a machine that was not read, or not wholly, answers nothing") {
  CHECK(NodeMap().nodes_of_cpus(Ids{0}).empty());
  CHECK_FALSE(NodeMap().off_share(table({1, 1}, {1, 1}), Ids{0}));
  CHECK(NodeMap().online(Ids{0, 5}) == Ids{0, 5});
  node::Numa numa;
  numa.nodes = {make_node(0, "0-3", true, {10, 20}), make_node(1, "4-7", true, {20, 10})};
  numa.nodes[1].cpus.reset();
  CHECK(NodeMap(numa).nodes_of_cpus(Ids{0}).empty());
}

TEST_CASE("locality: captured machines") {
  const std::string name = GENERATE("5.14-two-nodes", "6.8-two-nodes", "6.12-three-nodes", "6.1-eight-nodes");
  CAPTURE(name);
  const test::MachineTree tree(name);
  const auto state = node::read_node(tree.root());
  const NodeMap map(state.numa);
  for (const auto& node : state.numa.nodes) {
    CAPTURE(node.id);
    REQUIRE(node.cpus);
    const auto cpus = *kernel::parse_ids(*node.cpus);
    if (cpus.empty()) continue;
    const auto home = map.nodes_of_cpus(cpus);
    if (node.has_memory == true) CHECK(home == Ids{node.id});
    if (node.has_memory == false) CHECK_FALSE(home == Ids{node.id});
    CHECK_FALSE(home.empty());
  }
}
