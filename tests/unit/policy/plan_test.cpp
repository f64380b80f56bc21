// SPDX-License-Identifier: Apache-2.0
#include "policy/plan.hpp"

#include <algorithm>
#include <string>
#include <vector>

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

namespace {

// The one item of a plan over one unit.
policy::PlanItem plan_one(const policy::UnitInput& unit, const policy::PlanOptions& options = {}) {
  const auto plan = policy::decide_plan({unit}, options);
  REQUIRE(plan.items.size() == 1);
  return plan.items.front();
}

std::string preload_of(const policy::PlanItem& item) {
  for (const auto& [name, value] : item.environment) {
    if (name == "LD_PRELOAD") return value;
  }
  return "(not set)";
}

}  // namespace

TEST_CASE("plan: a bare unit gets one drop-in, and nothing more once it lies there") {
  test::PlanUnit unit;
  const auto item = plan_one(unit.input());
  CHECK(item.action == Action::write);
  CHECK(item.reason == PlanReason::to_apply);
  CHECK(item.target == "vllm.service");
  REQUIRE(item.files.size() == 1);
  CHECK(item.files[0].path == kConf);
  CHECK_FALSE(item.files[0].before);
  CHECK(item.files[0].after->find("\n[Service]\nEnvironment=\"LD_PRELOAD=" + std::string(kLibrary) +
                                  "\"\n") != std::string::npos);
  unit.apply(item);
  const auto again = plan_one(unit.input(), {.version = "9.9.9"});
  CHECK(again.action == Action::keep);
  CHECK(again.reason == PlanReason::in_place);
}

TEST_CASE("plan: the unit's own preload stays, after ours") {
  test::PlanUnit unit;
  unit.fragment += "Environment=LD_PRELOAD=/opt/cuda/shim.so:/usr/lib/libtcmalloc.so.4\n";
  unit.service.extra_preload = {"/opt/extra.so"};
  CHECK(preload_of(plan_one(unit.input())) ==
        std::string(kLibrary) + ":/opt/extra.so:/opt/cuda/shim.so:/usr/lib/libtcmalloc.so.4");
}

TEST_CASE("plan: an EnvironmentFile= that sets the variable is followed by one of ours") {
  test::PlanUnit unit;
  unit.fragment += "EnvironmentFile=/etc/vllm.env\n";
  unit.environment_files["/etc/vllm.env"] = "LD_PRELOAD=/opt/shim.so\n";
  const auto item = plan_one(unit.input());
  REQUIRE(item.files.size() == 2);
  CHECK(item.files[0].path == kConf);
  CHECK(item.files[0].after->find("EnvironmentFile=-" + std::string(kEnv)) != std::string::npos);
  CHECK(item.files[1].path == kEnv);
  CHECK(preload_of(item) == std::string(kLibrary) + ":/opt/shim.so");
  unit.apply(item);
  CHECK(plan_one(unit.input()).reason == PlanReason::in_place);
}

TEST_CASE("plan: what beats every drop-in is named with its place") {
  test::PlanUnit unit;
  SECTION("UnsetEnvironment=") {
    unit.fragment += "UnsetEnvironment=LD_PRELOAD\n";
    const auto item = plan_one(unit.input());
    CHECK(item.reason == PlanReason::unset_by_unit);
    CHECK(item.sentence.find("/etc/systemd/system/vllm.service:3") != std::string::npos);
  }
  SECTION("a later drop-in that resets and sets") {
    unit.drop_ins["/etc/systemd/system/vllm.service.d/zzz.conf"] =
        "[Service]\nEnvironmentFile=\nEnvironment=LD_PRELOAD=/opt/theirs.so\n";
    const auto item = plan_one(unit.input());
    CHECK(item.reason == PlanReason::overridden_by_drop_in);
    CHECK(item.sentence.find("zzz.conf:3") != std::string::npos);
  }
  SECTION("a later drop-in with a file of its own") {
    unit.drop_ins["/etc/systemd/system/vllm.service.d/zzz.conf"] =
        "[Service]\nEnvironmentFile=/etc/late.env\n";
    unit.environment_files["/etc/late.env"] = "\n\nLD_PRELOAD=/opt/theirs.so\n";
    const auto item = plan_one(unit.input());
    CHECK(item.reason == PlanReason::overridden_by_file);
    CHECK(item.sentence.find("/etc/late.env:3") != std::string::npos);
  }
  SECTION("an EnvironmentFile= that cannot be read") {
    unit.fragment += "EnvironmentFile=/etc/secret.env\n";
    unit.unreadable = {"/etc/secret.env"};
    const auto item = plan_one(unit.input());
    CHECK(item.reason == PlanReason::environment_unreadable);
    CHECK(item.sentence.find("/etc/systemd/system/vllm.service:3") != std::string::npos);
  }
}

TEST_CASE("plan: a later drop-in that only sets is beaten by a file of ours") {
  test::PlanUnit unit;
  unit.drop_ins["/etc/systemd/system/vllm.service.d/zzz.conf"] =
      "[Service]\nEnvironment=LD_PRELOAD=/opt/theirs.so\n";
  const auto item = plan_one(unit.input());
  CHECK(item.action == Action::write);
  CHECK(item.files.size() == 2);
}

TEST_CASE("plan: obstacles block and write nothing") {
  test::PlanUnit unit;
  auto input = unit.input();
  SECTION("secure execution") {
    input.is_secure_execution = true;
    const auto item = plan_one(input);
    CHECK(item.reason == PlanReason::secure_execution);
    CHECK(item.sentence.contains("ExecStart= at /etc/systemd/system/vllm.service:2,"));
  }
  SECTION("static") {
    input.program = policy::ProgramKind::static_program;
    CHECK(plan_one(input).reason == PlanReason::static_program);
  }
  SECTION("musl") {
    input.program = policy::ProgramKind::dynamic_musl;
    CHECK(plan_one(input).reason == PlanReason::musl_program);
  }
  SECTION("RootDirectory= without the library") {
    unit.drop_ins["/run/root.conf"] = "[Service]\n\nRootDirectory=/srv/root\n";
    input = unit.input();
    input.root_directory = "/srv/root";
    input.library_in_root = false;
    const auto item = plan_one(input);
    CHECK(item.reason == PlanReason::library_absent_in_root);
    CHECK(item.sentence.contains("RootDirectory=/srv/root at /run/root.conf:3:"));
    // The advice leads somewhere.
    input.library_is_bound = true;
    CHECK(plan_one(input).action == Action::write);
  }
  SECTION("RootImage=") {
    input.root_image = "/srv/image.raw";
    CHECK(plan_one(input).reason == PlanReason::root_image);
    input.library_is_bound = true;
    CHECK(plan_one(input).action == Action::write);
  }
  SECTION("a container client") {
    input.exec_start = {{"/usr/bin/docker", "run", "--rm", "vllm/vllm-openai"}};
    const auto item = plan_one(input);
    CHECK(item.reason == PlanReason::container);
    CHECK(item.sentence.find("docker command") != std::string::npos);
  }
  SECTION("a transient unit") {
    input.fragment_path = "/run/systemd/transient/vllm.service";
    CHECK(plan_one(input).reason == PlanReason::transient_unit);
  }
  SECTION("no library") {
    input.library.clear();
    input.library_problem = "no libjemalloc.so.2 found";
    CHECK(plan_one(input).sentence == "no libjemalloc.so.2 found");
  }
  SECTION("rolled back") {
    input.rolled_back = "it died";
    CHECK(plan_one(input).reason == PlanReason::rolled_back);
    input.rolled_back = policy::kRevertedByHand;
    CHECK(plan_one(input).reason == PlanReason::reverted_by_hand);
    CHECK(plan_one(input).sentence.find("allocctl apply vllm.service") != std::string::npos);
  }
  CHECK(plan_one(input).action == (input.exec_start.empty() ? Action::keep : plan_one(input).action));
  CHECK(plan_one(input).files.empty() == (plan_one(input).action != Action::write));
}

TEST_CASE("plan: a value that cannot be known is not merged with") {
  test::PlanUnit unit;
  unit.fragment += "Environment=LD_PRELOAD=/opt/%H/shim.so\n";
  const auto item = plan_one(unit.input());
  CHECK(item.reason == PlanReason::unit_unreadable);
  CHECK(item.sentence.find("vllm.service:3") != std::string::npos);
}

TEST_CASE("plan: a unit whose name needs escaping gets a file that systemd finds") {
  test::PlanUnit unit("vllm\\x2d7b.service");
  unit.fragment += "EnvironmentFile=/etc/vllm.env\n";
  unit.environment_files["/etc/vllm.env"] = "LD_PRELOAD=/opt/shim.so\n";
  const auto item = plan_one(unit.input());
  REQUIRE(item.action == Action::write);
  CHECK(item.files[0].after->find("EnvironmentFile=-/etc/systemd/system/vllm\\\\x2d7b.service.d/") !=
        std::string::npos);
}

TEST_CASE("plan: an edited file is left alone until it is taken by force") {
  test::PlanUnit unit;
  unit.apply(plan_one(unit.input()));
  unit.disk[kConf] += "Environment=MORE=1\n";
  const auto item = plan_one(unit.input());
  CHECK(item.reason == PlanReason::tampered);
  CHECK(item.files.empty());
  const auto forced = plan_one(unit.input(), {.take_tampered = true});
  CHECK(forced.action == Action::write);
  CHECK(forced.reason == PlanReason::to_update);
}

TEST_CASE("plan: a file that is not ours is never touched, by force neither") {
  test::PlanUnit unit;
  unit.disk[kConf] = "[Service]\nEnvironment=A=b\n";
  CHECK(plan_one(unit.input(), {.take_tampered = true}).reason == PlanReason::foreign_file);
}

TEST_CASE("plan: a policy that asks for nothing any more takes its file away") {
  test::PlanUnit unit;
  unit.apply(plan_one(unit.input()));
  unit.service.allocator = Wanted::any;
  const auto item = plan_one(unit.input());
  CHECK(item.action == Action::remove);
  CHECK(item.reason == PlanReason::no_policy);
  unit.apply(item);
  CHECK(unit.disk.empty());
  CHECK(plan_one(unit.input()).action == Action::keep);
}

TEST_CASE("plan: a file that is of no use any more goes with the change") {
  test::PlanUnit unit;
  unit.fragment += "EnvironmentFile=/etc/vllm.env\n";
  unit.environment_files["/etc/vllm.env"] = "LD_PRELOAD=/opt/shim.so\n";
  unit.apply(plan_one(unit.input()));
  REQUIRE(unit.disk.size() == 2);
  unit.environment_files["/etc/vllm.env"] = "";
  const auto item = plan_one(unit.input());
  CHECK(item.action == Action::write);
  unit.apply(item);
  CHECK(unit.disk.size() == 1);
}

TEST_CASE("plan: precedence yield leaves a unit that preloads an allocator itself alone") {
  test::PlanUnit unit;
  unit.fragment += "Environment=LD_PRELOAD=/usr/lib/libtcmalloc.so.4\n";
  unit.service.precedence = settings::Precedence::yield;
  const auto item = plan_one(unit.input());
  CHECK(item.action == Action::keep);
  CHECK(item.reason == PlanReason::yields);
  CHECK(item.sentence.find("vllm.service:3") != std::string::npos);
}

TEST_CASE("plan: a unit that preloads the wanted allocator itself needs nothing") {
  test::PlanUnit unit;
  unit.fragment += "Environment=LD_PRELOAD=/opt/conda/lib/libjemalloc.so.2\n";
  CHECK(plan_one(unit.input()).reason == PlanReason::not_needed);
  unit.service.library = kLibrary;
  CHECK(plan_one(unit.input()).action == Action::write);
}

TEST_CASE("plan: glibc takes allocators out of the preload and merges tunables") {
  test::PlanUnit unit;
  unit.service.allocator = Wanted::glibc;
  CHECK(plan_one(unit.input()).reason == PlanReason::not_needed);
  unit.fragment +=
      "Environment=LD_PRELOAD=/opt/shim.so:libjemalloc.so.2 GLIBC_TUNABLES=glibc.malloc.arena_max=8:a.b=c\n";
  unit.service.glibc.arena_max = 2;
  const auto item = plan_one(unit.input());
  CHECK(preload_of(item) == "/opt/shim.so");
  CHECK(item.environment.back() == policy::Assignment{"GLIBC_TUNABLES", "a.b=c:glibc.malloc.arena_max=2"});
}

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

TEST_CASE("plan: persist runtime writes below /run, and moves what lay in /etc") {
  test::PlanUnit unit;
  unit.apply(plan_one(unit.input()));
  auto input = unit.input();
  input.persist = settings::Persist::runtime;
  const auto item = plan_one(input);
  REQUIRE(item.files.size() == 2);
  CHECK(item.files[0].path == "/run/systemd/system/vllm.service.d/zz-allocd.conf");
  CHECK(item.files[1].path == kConf);
  CHECK_FALSE(item.files[1].after);
}

TEST_CASE("revert: takes our files of any state but those edited or foreign") {
  test::PlanUnit unit;
  unit.apply(plan_one(unit.input()));
  const auto files = unit.owned_files();
  const auto plan = policy::decide_revert(files, {});
  REQUIRE(plan.items.size() == 1);
  CHECK(plan.items[0].target == "vllm.service");
  CHECK(plan.items[0].action == Action::remove);
  unit.disk[kConf] += "#\n";
  CHECK(policy::decide_revert(unit.owned_files(), {}).items[0].reason == PlanReason::tampered);
  CHECK(policy::decide_revert(unit.owned_files(), {.take_tampered = true}).items[0].action == Action::remove);
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

TEST_CASE("plan: a drop-in of another directory that has our name is in the way") {
  test::PlanUnit unit;
  const auto* const path = GENERATE("/etc/systemd/system/service.d/zz-allocd.conf",
                                    "/usr/lib/systemd/system/vllm.service.d/zz-allocd.conf",
                                    "/etc/systemd/system.control/vllm.service.d/zz-allocd.conf");
  unit.drop_ins[path] = "[Service]\nEnvironment=LD_PRELOAD=/opt/theirs.so\n";
  const auto item = plan_one(unit.input());
  CHECK(item.reason == PlanReason::foreign_file);
  CHECK(item.sentence.find(path) != std::string::npos);
}

TEST_CASE("plan: an EnvironmentFile= with a specifier nobody can expand is no file to merge with") {
  test::PlanUnit unit;
  unit.fragment += "EnvironmentFile=-/etc/default/%H\n";
  const auto item = plan_one(unit.input());
  CHECK(item.reason == PlanReason::environment_unreadable);
  CHECK(item.sentence.find("/etc/systemd/system/vllm.service:3") != std::string::npos);
  unit.fragment += "EnvironmentFile=\n";
  CHECK(plan_one(unit.input()).action == Action::write);
}

TEST_CASE("plan: entries of LD_PRELOAD are split as the dynamic linker splits them") {
  CHECK(policy::split_preload(" /a.so::/b.so  /c\td.so\n") ==
        std::vector<std::string>{"/a.so", "/b.so", "/c\td.so\n"});
  CHECK(policy::merge_preload("/l/libjemalloc.so.2", {"/x.so"}, "/old/libjemalloc.so.2 /x.so:/y.so") ==
        "/l/libjemalloc.so.2:/x.so:/y.so");
}

TEST_CASE("plan: MALLOC_CONF that only an EnvironmentFile= sets stays, unless the policy has one") {
  test::PlanUnit unit;
  unit.fragment += "EnvironmentFile=/etc/vllm.env\n";
  unit.environment_files["/etc/vllm.env"] = "MALLOC_CONF=narenas:1\n";
  CHECK(plan_one(unit.input()).files.size() == 1);
  unit.service.malloc_conf = "narenas:8";
  const auto item = plan_one(unit.input());
  CHECK(item.files.size() == 2);
  CHECK(item.environment.back() == policy::Assignment{"MALLOC_CONF", "narenas:8"});
}

TEST_CASE("plan: a unit that a policy names under an alias keeps to the alias's directory") {
  test::PlanUnit unit("alias.service");
  auto input = unit.input();
  input.fragment_path = "/usr/lib/systemd/system/real.service";
  CHECK(plan_one(input).target == "alias.service");
  // What lies below the unit's other name is ours too: systemd shows it, and nobody is in the way.
  const auto written = *plan_one(input).files[0].after;
  unit.drop_ins["/etc/systemd/system/real.service.d/zz-allocd.conf"] = written;
  CHECK(plan_one(unit.input()).action == Action::write);
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
