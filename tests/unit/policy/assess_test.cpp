// SPDX-License-Identifier: Apache-2.0
// The decision table over all five links.
#include "policy/assess.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/judged.hpp"
#include "support/policy_cases.hpp"

using namespace allocd;
using namespace allocd::policy;
using namespace allocd::test;
using allocator::Kind;
using engine::Role;
using settings::Wanted;

TEST_CASE("link 1: a policy that asks for nothing exempts", "[policy]") {
  CHECK(judge(asking_unit(), {idle_process()}, Wanted::any) == "exempt no_policy -nnnn");
  CHECK(judge({}, {}, Wanted::any) == "exempt no_policy -nnnn");
  CHECK(judge_process(asking_unit(), forbidden_process(), Wanted::any) == "exempt no_policy");
}

TEST_CASE("all links hold", "[policy]") {
  CHECK(judge(asking_unit(), {right_process(1), right_process(2)}) == "compliant none +++++");
  // Older than the file, and yet it has the library: a file's time is no proof against it.
  auto old = right_process();
  old.started_at = 1;
  CHECK(judge(asking_unit(), {old}) == "compliant none +++++");
  const auto reload_pending = changed(asking_unit(), [](auto& unit) { unit.need_daemon_reload = true; });
  CHECK(judge(reload_pending, {right_process()}) == "compliant none +++++");
}

TEST_CASE("link 2: nothing asks for it", "[policy]") {
  CHECK(judge(silent_unit(), {process_with(Kind::glibc)}) == "not_applied not_configured +-uu-");
  CHECK(judge(silent_unit(), {idle_process()}) == "not_applied not_configured +-uu-");
  CHECK(judge(silent_unit(), {right_process(1), process_with(Kind::glibc, 2)}) ==
        "not_applied not_configured +-uu-");
  const auto only_openmp =
      changed(silent_unit(), [](auto& unit) { unit.environment = {"LD_PRELOAD=/opt/libiomp5.so"}; });
  CHECK(judge(only_openmp, {process_with(Kind::glibc)}) == "not_applied not_configured +-uu-");
  const auto files = changed(silent_unit(), [](auto& unit) { unit.has_environment_files = true; });
  CHECK(judge(files, {process_with(Kind::glibc)}) == "not_applied not_configured +-uu-");
}

TEST_CASE("link 2: every process has it by other means", "[policy]") {
  CHECK(judge(silent_unit(), {right_process()}) == "compliant none +nnn+");
  const auto files = changed(silent_unit(), [](auto& unit) { unit.has_environment_files = true; });
  CHECK(judge(files, {right_process(), unknown_process(5)}) == "compliant none +nnn+");
  CHECK(judge(silent_unit(), {unknown_process()}) == "unknown unreadable +uuuu");
}

TEST_CASE("link 2: another allocator is asked for", "[policy]") {
  const auto tcmalloc = changed(
      asking_unit(), [](auto& unit) { unit.environment = {"LD_PRELOAD=libtcmalloc.so.4:libjemalloc.so.2"}; });
  CHECK(judge(tcmalloc, {idle_process()}) == "not_applied not_configured +--u-");
  // Right today, wrong after the next start.
  CHECK(judge(tcmalloc, {right_process()}) == "not_applied not_configured +--u+");
  CHECK(judge(tcmalloc, {process_with(Kind::tcmalloc)}, Wanted::tcmalloc) == "compliant none +++++");
}

TEST_CASE("link 3: on disk, not loaded", "[policy]") {
  const auto unread = changed(silent_unit(), [](auto& unit) {
    unit.drop_in_present = true;
    unit.drop_in_path = kDropIn;
  });
  CHECK(judge(unread, {process_with(Kind::glibc)}) == "not_applied not_loaded ++-u-");
  CHECK(judge(unread, {}) == "inactive unit_down ++-uu");
  const auto touched = changed(silent_unit(), [](auto& unit) { unit.need_daemon_reload = true; });
  CHECK(judge(touched, {process_with(Kind::glibc)}) == "not_applied not_loaded +u-u-");
  // Our drop-in has just been rewritten: what systemd holds is its former text, not an override.
  const auto rewritten = changed(asking_unit(), [](auto& unit) {
    unit.environment = {"LD_PRELOAD=libtcmalloc.so.4"};
    unit.drop_in_present = unit.drop_in_loaded = unit.need_daemon_reload = true;
    unit.drop_in_path = kDropIn;
  });
  CHECK(judge(rewritten, {process_with(Kind::tcmalloc)}) == "not_applied not_loaded ++-u-");
}

TEST_CASE("link 3: taken away again", "[policy]") {
  const auto unset = changed(asking_unit(), [](auto& unit) { unit.unset_environment = {"LD_PRELOAD"}; });
  CHECK(judge(unset, {process_with(Kind::glibc)}) == "violation overridden ++-u-");
  CHECK(judge(unset, {right_process()}) == "violation overridden ++-u+");
  const auto later = changed(asking_unit(), [](auto& unit) {
    unit.environment = {"LD_PRELOAD=/opt/x.so"};
    unit.drop_in_present = unit.drop_in_loaded = true;
    unit.drop_in_path = kDropIn;
  });
  CHECK(judge(later, {process_with(Kind::glibc)}) == "violation overridden ++-u-");
}

TEST_CASE("link 4: older than the setting", "[policy]") {
  CHECK(judge(asking_unit(), {old_process()}) == "pending_restart started_before +++--");
  CHECK(judge(asking_unit(), {right_process(1), old_process(2)}) == "pending_restart started_before +++--");
  // When it was written is not known: the process is judged by its malloc alone.
  const auto undated = changed(asking_unit(), [](auto& unit) { unit.loaded_at = 0; });
  CHECK(judge(undated, {old_process()}) == "violation preload_lost +++u-");
}

TEST_CASE("link 5: malloc is another's", "[policy]") {
  CHECK(judge(asking_unit(), {idle_process()}) == "violation overridden_by_runtime ++++-");
  CHECK(judge(asking_unit(), {process_with(Kind::glibc)}) == "violation preload_lost ++++-");
  CHECK(judge(asking_unit(), {process_with(Kind::musl)}) == "violation preload_lost ++++-");
  CHECK(judge(asking_unit(), {process_with(Kind::mimalloc)}) == "violation other_allocator ++++-");
  CHECK(judge(asking_unit(), {process_with(Kind::other)}) == "violation other_allocator ++++-");
  CHECK(judge(asking_unit(), {static_process()}) == "violation static_program ++++-");
  // No drop-in helps a static program, so it is not "not applied".
  CHECK(judge(silent_unit(), {static_process()}) == "violation static_program +-uu-");
  auto built_in = static_process();
  built_in.active = Kind::jemalloc;
  CHECK(judge(silent_unit(), {built_in}) == "compliant none +nnn+");
}

TEST_CASE("link 5: who puts another allocator before the wanted one", "[policy]") {
  // One that the unit's own settings name is nobody else's doing.
  const auto both = changed(asking_unit(), [](auto& unit) {
    unit.environment = {std::string("LD_PRELOAD=") + kJemallocPath +
                        ":/opt/venv/lib/libtcmalloc_minimal.so.4"};
  });
  CHECK(judge(both, {idle_process()}) == "violation mapped_not_active ++++-");
  // A program with a malloc of its own was not preloaded by anybody.
  auto own = idle_process();
  own.active_path = "/opt/engine/bin/server";
  CHECK(judge(asking_unit(), {own}) == "violation mapped_not_active ++++-");
  // A shell starts the program: it comes first.
  const auto script = changed(asking_unit(), [](auto& unit) { unit.starts_script = true; });
  CHECK(judge(script, {idle_process()}) == "violation overridden_by_wrapper ++++-");
  CHECK(judge(script, {process_with(Kind::glibc)}) == "violation overridden_by_wrapper ++++-");
  // But not when what it started has what systemd set.
  const auto passed_on = changed(script, [](auto& unit) { unit.main_has_wanted = true; });
  CHECK(judge(passed_on, {idle_process()}) == "violation overridden_by_runtime ++++-");
  CHECK(judge(passed_on, {process_with(Kind::glibc)}) == "violation preload_lost ++++-");
  // A child with another's library, and without the wanted one: its environment was made anew.
  auto child = process_with(Kind::mimalloc);
  child.active_path = "/opt/libmimalloc.so.2";
  CHECK(judge(asking_unit(), {child}) == "violation other_allocator ++++-");
  child.is_main = false;
  CHECK(judge(asking_unit(), {child}) == "violation overridden_by_wrapper ++++-");
  const auto text = assess_unit(Wanted::jemalloc, script, std::vector{idle_process()}).chain[4].evidence;
  CHECK(text.find("what was started in between sets LD_PRELOAD anew") != std::string::npos);
}

TEST_CASE("a map of names proves nothing", "[policy]") {
  auto mapped = right_process();
  mapped.rung = allocator::Rung::mapped;
  CHECK(judge(asking_unit(), {mapped}) == "unknown unreadable +++uu");
  CHECK(judge(asking_unit(), {process_with(Kind::unknown)}) == "unknown unreadable +++uu");
}

TEST_CASE("what is not known yet waits, what may not be read stands in the way", "[policy]") {
  CHECK(judge(asking_unit(), {unknown_process()}) == "unknown unreadable +++uu");
  CHECK(judge(asking_unit(), {right_process(1), unknown_process(2)}) == "compliant none +++++");
  CHECK(judge(asking_unit(), {idle_process(1), unknown_process(2)}) ==
        "violation overridden_by_runtime ++++-");
  CHECK(judge(asking_unit(), {forbidden_process()}) == "unknown not_permitted +++uu");
  CHECK(judge(asking_unit(), {right_process(1), forbidden_process(2)}) == "unknown not_permitted ++++u");
}

TEST_CASE("which processes count", "[policy]") {
  const auto starting = with_role(process_with(Kind::glibc, 2), Role::starting);
  CHECK(judge(asking_unit(), {right_process(1), starting}) == "compliant none +++++");
  CHECK(judge(asking_unit(), {starting}) == "unknown unreadable +++uu");
  CHECK(judge_process(asking_unit(), starting) == "unknown unreadable");
  CHECK(judge_process(asking_unit(), with_role(right_process(), Role::starting)) == "compliant none");

  const auto shim = with_role(static_process(3), Role::container_shim);
  CHECK(judge(asking_unit(), {right_process(1), shim}) == "compliant none +++++");
  CHECK(judge(asking_unit(), {shim}) == "unknown unreadable +++uu");
  CHECK(judge_process(asking_unit(), shim) == "exempt no_policy");

  for (const Role role : {Role::resource_tracker, Role::compile_worker, Role::other}) {
    CHECK(judge(asking_unit(), {right_process(1), with_role(process_with(Kind::glibc, 2), role)}) ==
          "violation preload_lost ++++-");
  }
}

TEST_CASE("the worst process decides", "[policy]") {
  CHECK(judge(asking_unit(), {old_process(1), idle_process(2), right_process(3)}) ==
        "violation overridden_by_runtime +++--");
  CHECK(judge(silent_unit(), {process_with(Kind::glibc, 1), static_process(2)}) ==
        "violation static_program +-uu-");
  const auto two =
      assess_unit(Wanted::jemalloc, asking_unit(), std::vector{idle_process(9), idle_process(8)});
  CHECK(two.chain[4].evidence.starts_with("worker 8:"));
}

TEST_CASE("a unit without a process", "[policy]") {
  const auto state = [](const char* load_state) {
    return judge(changed(asking_unit(), [&](auto& unit) { unit.load_state = load_state; }), {});
  };
  CHECK(state("loaded") == "inactive unit_down +++uu");
  CHECK(state("not-found") == "inactive unit_not_found +++uu");
  CHECK(state("masked") == "inactive unit_masked +++uu");
  CHECK(state("error") == "inactive unit_down +++uu");
  // Masked while it runs: the processes are what counts.
  const auto masked = changed(asking_unit(), [](auto& unit) { unit.load_state = "masked"; });
  CHECK(judge(masked, {right_process()}) == "compliant none +++++");
}

TEST_CASE("without the bus nothing is called compliant", "[policy]") {
  const auto blind = changed(asking_unit(), [](auto& unit) { unit.bus_available = false; });
  CHECK(judge(blind, {}) == "unknown bus_unavailable +uuuu");
  CHECK(judge(blind, {right_process()}) == "unknown bus_unavailable +uuu+");
  CHECK(judge(blind, {process_with(Kind::glibc)}) == "unknown bus_unavailable +uuu-");
  CHECK(judge_process(blind, right_process()) == "compliant none");
}

TEST_CASE("out of reach of a unit's environment", "[policy]") {
  const auto docker = changed(asking_unit(), [](auto& unit) {
    unit.exec_start = {{"/usr/bin/docker", "run", "--rm", "vllm/vllm-openai"}};
  });
  const auto client = with_role(process_with(Kind::glibc, 3), Role::container_shim);
  CHECK(judge(docker, {client}) == "not_enforceable unreachable +nnnu");
  CHECK(judge(docker, {client, process_with(Kind::glibc)}) == "not_enforceable unreachable +nnn-");
  CHECK(judge(docker, {client, right_process()}) == "compliant none +nnn+");
  CHECK(judge(docker, {client, unknown_process()}) == "unknown unreadable +nnnu");
  CHECK(judge(docker, {static_process()}) == "not_enforceable unreachable +nnn-");

  UnitSetting cgroup;
  cgroup.source = settings::SelectorKind::cgroup;
  CHECK(judge(cgroup, {right_process()}) == "compliant none +nnn+");
  CHECK(judge(cgroup, {idle_process()}) == "not_enforceable unreachable +nnn-");
  CHECK(judge(cgroup, {}) == "inactive unit_down +nnnu");
}

TEST_CASE("wanting the C library means that nothing is preloaded", "[policy]") {
  const auto judge_glibc = [](const UnitSetting& unit, const ProcessFacts& process) {
    return judge(unit, {process}, Wanted::glibc);
  };
  CHECK(judge_glibc(silent_unit(), process_with(Kind::glibc)) == "compliant none +++++");
  CHECK(judge_glibc(silent_unit(), process_with(Kind::jemalloc)) == "violation other_allocator +++u-");
  CHECK(judge_glibc(silent_unit(), process_with(Kind::musl)) == "violation other_allocator +++u-");
  CHECK(judge_glibc(asking_unit(), right_process()) == "not_applied not_configured +--u-");
  const auto unset = changed(asking_unit(), [](auto& unit) { unit.unset_environment = {"LD_PRELOAD"}; });
  CHECK(judge_glibc(unset, process_with(Kind::glibc)) == "compliant none +++++");
  auto old = right_process();
  old.started_at = 10;
  const auto removed = changed(silent_unit(), [](auto& unit) { unit.loaded_at = 1000; });
  CHECK(judge_glibc(removed, old) == "pending_restart started_before +++--");
}

TEST_CASE("evidence names what was seen, on one line", "[policy]") {
  const auto evidence = [](const UnitSetting& unit, const std::vector<ProcessFacts>& processes,
                           std::size_t link) {
    return assess_unit(Wanted::jemalloc, unit, processes).chain[link].evidence;
  };
  CHECK(evidence(asking_unit(), {}, 0) == "the policy asks for jemalloc");
  CHECK(evidence(asking_unit(), {}, 1) ==
        std::string("LD_PRELOAD=") + kJemallocPath + " is set by the unit's own Environment=");
  CHECK(evidence(asking_unit(), {old_process()}, 3) ==
        "worker 4711 started 600 s before the setting was written");
  CHECK(evidence(asking_unit(), {idle_process(), right_process(1)}, 4) ==
        "worker 4711: malloc resolves to libtcmalloc_minimal.so.4; libjemalloc.so.2 is mapped and idle; "
        "none of the unit's settings names it: the program puts it first itself (jemalloc has malloc in 1 of "
        "2 processes)");
  CHECK(evidence(asking_unit(), {right_process(1), unknown_process(2)}, 4) ==
        "malloc resolves to libjemalloc.so.2 in 1 of 2 processes, 1 not known yet");
  const auto ours = changed(asking_unit(), [](auto& unit) {
    unit.drop_in_present = unit.drop_in_loaded = true;
    unit.drop_in_path = kDropIn;
  });
  CHECK(evidence(ours, {}, 1).ends_with(std::string("is set by ") + kDropIn));
  const auto rooted = changed(asking_unit(), [](auto& unit) { unit.root_directory = "/srv/root"; });
  CHECK(evidence(rooted, {process_with(Kind::glibc)}, 4).find("RootDirectory=/srv/root") !=
        std::string::npos);

  const auto hostile = changed(
      asking_unit(), [](auto& unit) { unit.environment = {"LD_PRELOAD=/a\n\x1b[31m/libjemalloc.so.2"}; });
  auto odd = idle_process();
  odd.active_path = "/x/lib\nthing.so";
  for (const Link& link : assess_unit(Wanted::jemalloc, hostile, std::vector{odd}).chain) {
    CHECK(link.evidence.find_first_of("\n\x1b") == std::string::npos);
    CHECK_FALSE(link.evidence.empty());
  }
}

TEST_CASE("what will never be known, or was not looked at, keeps a unit from being compliant") {
  UnitSetting setting;
  setting.bus_available = true;
  setting.load_state = "loaded";
  setting.active_state = "active";
  setting.environment = {"LD_PRELOAD=libjemalloc.so.2"};
  ProcessFacts right;
  right.pid = 1;
  right.active = allocator::Kind::jemalloc;
  right.rung = allocator::Rung::resolved;
  ProcessFacts unknown;
  unknown.pid = 2;
  const auto assess_both = [&] {
    return assess_unit(settings::Wanted::jemalloc, setting, std::vector<ProcessFacts>{right, unknown});
  };
  CHECK(assess_both().state == State::compliant);
  unknown.settled = true;
  CHECK(assess_both().state == State::unknown);
  CHECK(assess_both().reason == Reason::unreadable);
  CHECK(assess_both().chain[4].verdict == Verdict::unknown);
  setting.unseen = 3;
  const std::vector<ProcessFacts> one{right};
  CHECK(assess_unit(settings::Wanted::jemalloc, setting, one).state == State::unknown);
  // Processes that could not be opened do not make a running unit "down".
  CHECK(assess_unit(settings::Wanted::jemalloc, setting, {}).state == State::unknown);
}
