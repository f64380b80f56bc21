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
using test::plan_one;
using test::preload_of;

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
