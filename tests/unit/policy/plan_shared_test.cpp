// SPDX-License-Identifier: Apache-2.0
// Units that share a file: instances of a template, and the quadlet a unit is made from.
#include <algorithm>
#include <string>
#include <vector>

#include "policy/plan.hpp"
#include "support/catch.hpp"
#include "support/plan_cases.hpp"
#include "unitfile/drop_in_text.hpp"

using namespace allocd;
using policy::Action;
using policy::PlanReason;
using settings::Wanted;
using test::kConf;
using test::kEnv;
using test::kLibrary;
using test::plan_one;
using test::preload_of;

TEST_CASE("plan: instances share the template's drop-in only when each would get the same") {
  test::PlanUnit one("vllm@a.service");
  test::PlanUnit two("vllm@b.service");
  const auto both = [&] {
    auto first = one.input();
    auto second = two.input();
    second.service = first.service;
    first.covers_template = second.covers_template = true;
    return std::vector{first, second};
  };
  SECTION("alike") {
    const auto plan = policy::decide_plan(both(), {});
    REQUIRE(plan.items.size() == 1);
    CHECK(plan.items[0].target == "vllm@.service");
    CHECK(plan.items[0].units == std::vector<std::string>{"vllm@a.service", "vllm@b.service"});
    CHECK(plan.items[0].files[0].path == "/etc/systemd/system/vllm@.service.d/zz-allocd.conf");
  }
  SECTION("one has a preload of its own") {
    two.fragment += "Environment=LD_PRELOAD=/opt/shim.so\n";
    const auto plan = policy::decide_plan(both(), {});
    REQUIRE(plan.items.size() == 2);
    CHECK(plan.items[0].target == "vllm@a.service");
    CHECK(plan.items[1].target == "vllm@b.service");
  }
  SECTION("the selector names an instance") {
    auto units = both();
    units.pop_back();
    units[0].covers_template = false;
    CHECK(policy::decide_plan(units, {}).items[0].target == "vllm@a.service");
  }
}

TEST_CASE("plan: a quadlet gets its container's variables and the library") {
  test::PlanUnit unit;
  auto input = unit.input();
  input.source_path = "/etc/containers/systemd/vllm.container";
  input.quadlet = {{input.source_path, "[Container]\nImage=image\n"}};
  input.exec_start = {{"/usr/bin/podman", "run", "--rm", "image"}};
  const auto item = plan_one(input);
  CHECK(item.target == "vllm.container");
  REQUIRE(item.files.size() == 1);
  CHECK(item.files[0].path == "/etc/containers/systemd/vllm.container.d/zz-allocd.conf");
  const std::string mount = "\nVolume=" + std::string(kLibrary) + ":" + kLibrary + ":ro\n";
  CHECK(item.files[0].after->find("[Container]\nEnvironment=\"LD_PRELOAD=") != std::string::npos);
  CHECK(item.files[0].after->find(mount) != std::string::npos);
  input.persist = settings::Persist::runtime;
  CHECK(plan_one(input).files[0].path == "/run/containers/systemd/vllm.container.d/zz-allocd.conf");
}

TEST_CASE("plan: a template that falls apart gives its file up in an item of its own, once") {
  test::PlanUnit one("vllm@a.service");
  test::PlanUnit two("vllm@b.service");
  const auto shared = "/etc/systemd/system/vllm@.service.d/zz-allocd.conf";
  const auto inputs = [&] {
    auto first = one.input();
    auto second = two.input();
    second.service = first.service;
    first.covers_template = second.covers_template = true;
    return std::vector{first, second};
  };
  one.apply(policy::decide_plan(inputs(), {}).items[0]);
  two.disk = one.disk;
  REQUIRE(two.disk.contains(shared));
  two.fragment += "Environment=LD_PRELOAD=/opt/shim.so\n";
  auto plan = policy::decide_plan(inputs(), {});
  REQUIRE(plan.items.size() == 3);
  CHECK(plan.items[0].target == "vllm@.service");
  CHECK(plan.items[0].action == Action::remove);
  CHECK(plan.items[0].service == "vllm");
  CHECK(plan.items[0].units == std::vector<std::string>{"vllm@a.service", "vllm@b.service"});
  REQUIRE(plan.items[0].files.size() == 1);
  CHECK(plan.items[0].files[0].path == shared);
  SECTION("an instance that is blocked later keeps it") {
    policy::block(plan.items[2], PlanReason::preflight_failed, "it crashes");
    policy::spare_stuck_units(plan);
    CHECK(plan.items[0].reason == PlanReason::preflight_failed);
    CHECK(plan.items[0].files.empty());
    CHECK(plan.items[1].action == Action::write);
  }
  SECTION("an instance that is stuck keeps it") {
    auto units = inputs();
    units[1].is_secure_execution = true;
    const auto stuck = policy::decide_plan(units, {});
    REQUIRE(stuck.items.size() == 2);
    CHECK(stuck.items[0].target == "vllm@a.service");
    CHECK(stuck.items[0].files.size() == 1);
    CHECK(stuck.items[1].reason == PlanReason::secure_execution);
  }
  SECTION("one that was edited by hand blocks both, for it may win") {
    one.disk[shared] += "#\n";
    two.disk = one.disk;
    const auto edited = policy::decide_plan(inputs(), {});
    REQUIRE(edited.items.size() == 2);
    CHECK(edited.items[0].reason == PlanReason::tampered);
    CHECK(edited.items[1].reason == PlanReason::tampered);
  }
}

TEST_CASE("plan: an instance that is masked has no say in what the others share") {
  test::PlanUnit one("vllm@a.service");
  test::PlanUnit two("vllm@b.service");
  auto first = one.input();
  auto second = two.input();
  second.service = first.service;
  second.load_state = "masked";
  first.covers_template = second.covers_template = true;
  const auto plan = policy::decide_plan({second, first}, {});
  REQUIRE(plan.items.size() == 2);
  CHECK(plan.items[0].target == "vllm@.service");
  CHECK(plan.items[0].units == std::vector<std::string>{"vllm@a.service"});
  CHECK(plan.items[1].target == "vllm@b.service");
  CHECK(plan.items[1].reason == PlanReason::unit_not_found);
}

TEST_CASE("plan: instances that are blocked for different reasons each say theirs") {
  test::PlanUnit one("vllm@a.service");
  test::PlanUnit two("vllm@b.service");
  auto first = one.input();
  auto second = two.input();
  second.service = first.service;
  first.covers_template = second.covers_template = true;
  first.is_secure_execution = true;
  second.root_image = "/srv/image.raw";
  const auto plan = policy::decide_plan({first, second}, {});
  REQUIRE(plan.items.size() == 2);
  CHECK(plan.items[0].reason == PlanReason::secure_execution);
  CHECK(plan.items[1].reason == PlanReason::root_image);
}

TEST_CASE("plan: systemd expands specifiers in a quadlet's volume") {
  test::PlanUnit unit;
  auto input = unit.input();
  input.source_path = "/etc/containers/systemd/vllm.container";
  input.quadlet = {{input.source_path, "[Container]\nImage=image\n"}};
  input.exec_start = {{"/usr/bin/podman", "run", "--rm", "image"}};
  input.library = "/opt/50%off/libjemalloc.so.2";
  // The variable cannot carry it, and says so.
  CHECK(plan_one(input).reason == PlanReason::container);
}

TEST_CASE("plan: what stands in the way of one container of a quadlet stands in the way of all") {
  test::PlanUnit one("vllm@a.service");
  test::PlanUnit two("vllm@b.service");
  std::vector units{one.input(), two.input()};
  for (auto& unit : units) {
    unit.service = &one.service;
    unit.source_path = "/etc/containers/systemd/vllm@.container";
    unit.quadlet = {{unit.source_path, "[Container]\nImage=image\n"}};
    unit.exec_start = {{"/usr/bin/podman", "run", "image"}};
  }
  units[1].rolled_back = "it died";
  const auto plan = policy::decide_plan(units, {});
  REQUIRE(plan.items.size() == 1);
  CHECK(plan.items[0].target == "vllm@.container");
  CHECK(plan.items[0].reason == PlanReason::rolled_back);
  std::ranges::reverse(units);
  CHECK(policy::decide_plan(units, {}) == plan);
}

TEST_CASE("plan: a quadlet's own variables are its container's, not those of the client") {
  test::PlanUnit unit;
  unit.fragment += "Environment=LD_PRELOAD=/opt/for/podman.so:libjemalloc.so.2\n";
  auto input = unit.input();
  input.source_path = "/etc/containers/systemd/vllm.container";
  input.exec_start = {{"/usr/bin/podman", "run", "--rm", "image"}};
  CHECK(plan_one(input).reason == PlanReason::unit_unreadable);  // nobody could read the quadlet
  input.quadlet = {
      {input.source_path,
       "[Unit]\nEnvironment=LD_PRELOAD=/wrong.so\n\n[Container]\nImage=image\n"
       "Environment=A=1 \\\n  LD_PRELOAD=/opt/shim.so\n"},
      {"/etc/containers/systemd/vllm.container.d/10-a.conf",
       "[Container]\nEnvironment=LD_PRELOAD=/opt/late.so:/opt/shim.so\nEnvironmentFile=/etc/x.env\n"}};
  const auto item = plan_one(input);
  CHECK(item.action == Action::write);
  CHECK(preload_of(item) == std::string(kLibrary) + ":/opt/late.so:/opt/shim.so");
  REQUIRE(item.notes.size() == 1);
  CHECK(item.notes[0].find("10-a.conf:3") != std::string::npos);
  // Once it is there it is read with the others, and changes nothing.
  input.quadlet.push_back({item.files[0].path, *item.files[0].after});
  input.on_disk = {{item.files[0].path, true, *item.files[0].after}};
  CHECK(plan_one(input).reason == PlanReason::in_place);
  unit.service.precedence = settings::Precedence::yield;
  input.quadlet.resize(1);
  input.quadlet[0].text = "[Container]\nImage=image\nEnvironment=LD_PRELOAD=libtcmalloc.so.4\n";
  const auto yields = plan_one(input);
  CHECK(yields.reason == PlanReason::yields);
  CHECK(yields.sentence.find("vllm.container:3") != std::string::npos);
}

TEST_CASE("plan: a template's file in /etc that a stuck unit keeps would hide an instance's in /run") {
  test::PlanUnit one("vllm@a.service");
  test::PlanUnit two("vllm@b.service");
  std::vector units{one.input(), two.input()};
  for (auto& unit : units) {
    unit.service = &one.service;
    unit.covers_template = true;
  }
  const auto applied = policy::decide_plan(units, {}).items[0].files[0];
  for (auto& unit : units) {
    unit.on_disk = {{applied.path, true, *applied.after}};
    unit.persist = settings::Persist::runtime;
  }
  units[1].is_secure_execution = true;
  const auto plan = policy::decide_plan(units, {});
  REQUIRE(plan.items.size() == 2);
  CHECK(plan.items[0].target == "vllm@a.service");
  CHECK(plan.items[0].reason == PlanReason::overridden_by_drop_in);
  CHECK(plan.items[0].sentence.find(applied.path) != std::string::npos);
  CHECK_FALSE(plan.has_changes());
}

TEST_CASE("plan: an instance that is a container keeps the others from sharing the template's drop-in") {
  test::PlanUnit one("vllm@a.service");
  test::PlanUnit two("vllm@b.service");
  std::vector units{one.input(), two.input()};
  for (auto& unit : units) {
    unit.service = &one.service;
    unit.covers_template = true;
  }
  units[1].source_path = "/etc/containers/systemd/vllm@b.container";
  units[1].quadlet = {{units[1].source_path, "[Container]\nImage=image\n"}};
  units[1].exec_start = {{"/usr/bin/podman", "run", "image"}};
  const auto plan = policy::decide_plan(units, {});
  REQUIRE(plan.items.size() == 2);
  CHECK(plan.items[0].target == "vllm@a.service");
  CHECK(plan.items[1].target == "vllm@b.container");
}
