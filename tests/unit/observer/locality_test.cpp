// SPDX-License-Identifier: Apache-2.0
#include "observer/locality.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace allocd;
using kernel::NodeKind;
using snapshot::NumaPolicy;
using Ids = std::vector<unsigned>;

namespace {

node::NodeMap two_nodes() {
  node::Numa numa;
  for (unsigned id = 0; id < 2; ++id) {
    node::NumaNode one;
    one.id = id;
    one.has_cpu = one.has_memory = true;
    one.cpus = id == 0 ? "0-3" : "4-7";
    one.distances = {{0, id == 0 ? 10U : 21U}, {1, id == 0 ? 21U : 10U}};
    numa.nodes.push_back(one);
  }
  return node::NodeMap(numa);
}

void add_process(snapshot::Unit& unit, const std::string& cpus, const std::string& mems,
                 const std::vector<std::string>& gpus = {}) {
  snapshot::Process process;
  process.placement = {true, cpus, mems, gpus};
  unit.processes.push_back(process);
}

// A quarter of it is on node 1.
snapshot::Unit make_unit(const host::UnitFacts& facts) {
  snapshot::Unit unit;
  kernel::CgroupMemory memory;
  memory.nodes[0][NodeKind::anon] = 50;
  memory.nodes[0][NodeKind::file] = 25;
  memory.nodes[1][NodeKind::anon] = 25;
  memory.nodes[1][NodeKind::file] = 0;
  unit.cgroup.memory = memory;
  observer::add_unit_placement(facts, unit);
  return unit;
}

}  // namespace

TEST_CASE("locality of a unit: what its file asks for") {
  host::UnitFacts facts;
  facts.cpu_affinity = {0, 1, 2, 5, 7, 8};
  facts.numa_policy = 2;
  facts.numa_mask = {1};
  const auto unit = make_unit(facts);
  CHECK(unit.locality.cpu_affinity == "0-2,5,7-8");
  CHECK(unit.locality.policy == NumaPolicy::bind);
  CHECK(unit.locality.policy_nodes == Ids{1});
  CHECK(make_unit({}).locality == snapshot::Locality{});
  facts.numa_policy = 77;
  CHECK(make_unit(facts).locality.policy == NumaPolicy::unknown);
}

TEST_CASE("locality of a unit: its memory against its CPUs") {
  auto unit = make_unit({});
  add_process(unit, "4-7", "0-1");
  observer::add_locality(two_nodes(), {}, unit);
  CHECK(unit.locality.cpu_nodes == Ids{1});
  CHECK(unit.locality.off_cpus == 0.75);
  CHECK_FALSE(unit.locality.off_gpus);
  CHECK_FALSE(unit.locality.off_policy);
  add_process(unit, "0-7", "0-1");
  observer::add_locality(two_nodes(), {}, unit);
  CHECK(unit.locality.cpu_nodes == Ids{0, 1});
  CHECK_FALSE(unit.locality.off_cpus);
}

TEST_CASE("locality of a unit: processes that may not run or allocate where the unit file says") {
  host::UnitFacts facts;
  facts.cpu_affinity = {0, 1, 2, 3, 200};  // the last one is not there
  facts.numa_policy = 2;
  facts.numa_mask = {1};
  auto unit = make_unit(facts);
  add_process(unit, "0-3", "0-1");
  add_process(unit, "0-7", "0");
  add_process(unit, "2", "1");
  add_process(unit, "nonsense", "");
  observer::add_locality(two_nodes(), {}, unit);
  CHECK(unit.locality.cpus_differ == 2);
  CHECK(unit.locality.mems_differ == 1);
  CHECK(unit.locality.off_policy == 0.75);
}

TEST_CASE("locality of a unit: its GPUs' nodes, unless one of them is not known") {
  auto unit = make_unit({});
  add_process(unit, "0-7", "0-1", {"nvidia0"});
  observer::add_locality(two_nodes(), {{"nvidia0", 0}}, unit);
  CHECK(unit.locality.gpu_nodes == Ids{0});
  CHECK(unit.locality.off_gpus == 0.25);
  auto other = make_unit({});
  add_process(other, "0-7", "0-1", {"nvidia0", "nvidia1"});
  observer::add_locality(two_nodes(), {{"nvidia0", 0}}, other);
  CHECK(other.locality.gpu_nodes.empty());
  CHECK_FALSE(other.locality.off_gpus);
}

TEST_CASE("locality of a unit: without a reading of the machine or of the group nothing is told") {
  auto unit = make_unit({});
  add_process(unit, "0-3", "0-1");
  observer::add_locality({}, {}, unit);
  CHECK(unit.locality == snapshot::Locality{});
  snapshot::Unit bare;
  add_process(bare, "0-3", "0-1");
  observer::add_locality(two_nodes(), {}, bare);
  CHECK(bare.locality.cpu_nodes == Ids{0});
  CHECK_FALSE(bare.locality.off_cpus);
}
