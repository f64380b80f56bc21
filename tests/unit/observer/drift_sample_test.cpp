// SPDX-License-Identifier: Apache-2.0
#include "observer/drift_sample.hpp"

#include "support/catch.hpp"

using namespace allocd;
using drift::LimitKind;
using observer::find_main_process;
using observer::find_memory_limit;
using snapshot::CgroupMemoryState;

namespace {

snapshot::Process process(std::int32_t pid, std::uint64_t start_ticks) {
  snapshot::Process made;
  made.pid = pid;
  made.start_ticks = start_ticks;
  return made;
}

snapshot::UnitCgroup limited(std::optional<std::uint64_t> bytes) {
  snapshot::UnitCgroup cgroup{.state = CgroupMemoryState::available};
  cgroup.memory.emplace();
  if (bytes) cgroup.memory->effective_max = {{*bytes}, "/a.slice"};
  return cgroup;
}

snapshot::Node machine(std::uint64_t total, std::optional<std::uint64_t> available) {
  snapshot::Node node{.known = true};
  node.state.memory.total = total;
  node.state.memory.available = available;
  return node;
}

using Found = std::pair<LimitKind, std::optional<double>>;

}  // namespace

TEST_CASE("drift sample: a life is the main process's, else the oldest's") {
  snapshot::Unit unit;
  CHECK(find_main_process(unit) == nullptr);
  unit.processes = {process(20, 500), process(30, 400), process(40, 400)};
  CHECK(find_main_process(unit)->pid == 30);
  unit.main_pid = 40;
  CHECK(find_main_process(unit)->pid == 40);
  unit.main_pid = 99;  // in another control group
  CHECK(find_main_process(unit)->pid == 30);
}

TEST_CASE("drift sample: memory is anonymous and swapped, of all roles; at its peak within 2 %") {
  snapshot::Unit unit;
  unit.processes = {process(20, 12'345)};
  unit.roles.resize(2);
  unit.roles[0].role = engine::Role::api_server;
  unit.roles[0].memory = {.resident = 970, .anonymous = 100, .file = 7, .swap = 10, .peak_resident = 1000};
  unit.roles[1].role = engine::Role::worker;
  unit.roles[1].memory = {.resident = 1000, .anonymous = 200, .swap = 20, .peak_resident = 1000};
  snapshot::Snapshot snapshot;
  snapshot.boot_id = "b007";
  auto made = observer::make_drift_sample(unit, snapshot, 200, 1000);
  REQUIRE(made);
  CHECK(made->key == drift::LifeKey{"b007", 20, 12'345});
  CHECK(made->sample.uptime == Approx(200 - 123.45));
  CHECK(made->sample.memory == 330);
  CHECK(made->roles ==
        std::vector<drift::RoleMemory>{{engine::Role::api_server, 110}, {engine::Role::worker, 220}});
  CHECK(made->sample.at_peak);
  unit.roles[0].memory.resident = 950;
  CHECK_FALSE(observer::make_drift_sample(unit, snapshot, 200, 1000)->sample.at_peak);
  unit.processes.clear();
  CHECK_FALSE(observer::make_drift_sample(unit, snapshot, 200, 1000));
}

TEST_CASE("drift sample: what the machine had long ago is no limit") {
  snapshot::Unit unit;
  unit.processes = {process(20, 12'345)};
  unit.cgroup.state = CgroupMemoryState::controller_off;
  snapshot::Snapshot snapshot;
  snapshot.node = machine(1000, 300);
  snapshot.node.read_at = 5000;
  snapshot.node.interval = 60;
  CHECK(observer::make_drift_sample(unit, snapshot, 200, 5180)->sample.limit == 300);
  CHECK_FALSE(observer::make_drift_sample(unit, snapshot, 200, 5181)->sample.limit);
}

TEST_CASE("drift sample: the limit is the control group's, else what the machine has left; never a guess") {
  const auto node = machine(1000, 300);
  CHECK(find_memory_limit(limited(800), node, {100}) == Found{LimitKind::cgroup, 800});
  CHECK(find_memory_limit(limited(UINT64_MAX), node, {100}) == Found{LimitKind::node, 400});
  // What is swapped out, the group does not count.
  CHECK(find_memory_limit(limited(800), node, {100, 30}) == Found{LimitKind::cgroup, 830});
  // More than the machine has.
  CHECK(find_memory_limit(limited(2000), node, {100}) == Found{LimitKind::node, 400});
  // The limit of some group on the way up could not be read.
  CHECK(find_memory_limit(limited(std::nullopt), node, {100}) == Found{LimitKind::none, std::nullopt});
  CHECK(find_memory_limit({.state = CgroupMemoryState::controller_off}, node, {100}) ==
        Found{LimitKind::node, 400});
  CHECK(find_memory_limit({.state = CgroupMemoryState::cgroup_v1}, node, {100}) ==
        Found{LimitKind::node, 400});
  for (const auto state : {CgroupMemoryState::gone, CgroupMemoryState::not_permitted,
                           CgroupMemoryState::failed, CgroupMemoryState::not_read})
    CHECK(find_memory_limit({.state = state}, node, {100}) == Found{LimitKind::none, std::nullopt});
  CHECK(find_memory_limit(limited(UINT64_MAX), machine(1000, std::nullopt), {100}) ==
        Found{LimitKind::none, std::nullopt});
  CHECK(find_memory_limit(limited(UINT64_MAX), {}, {100}) == Found{LimitKind::none, std::nullopt});
  CHECK(find_memory_limit(limited(800), {}, {100}) == Found{LimitKind::cgroup, 800});
}
