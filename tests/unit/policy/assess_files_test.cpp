// SPDX-License-Identifier: Apache-2.0
// What the unit's own files, and ours, say of who wins.
#include <string>
#include <string_view>
#include <vector>

#include "policy/assess.hpp"
#include "support/catch.hpp"
#include "support/judged.hpp"
#include "support/policy_cases.hpp"

using namespace allocd;
using namespace allocd::policy;
using namespace allocd::test;
using allocator::Kind;
using engine::Role;
using settings::Wanted;

TEST_CASE("the files name who wins, with its place", "[policy]") {
  using unitfile::Origin;
  const auto evidence = [](const UnitSetting& unit, std::size_t link, Wanted wanted = Wanted::jemalloc) {
    return assess_unit(wanted, unit, std::vector{right_process()}).chain[link].evidence;
  };
  CHECK(evidence(read_unit(), 1) ==
        std::string("LD_PRELOAD=") + kJemallocPath + " is set by " + kUnitFile + ":3");
  CHECK(evidence(read_unit(), 2) == "systemd has it loaded");

  // An environment file that can be read is no secret any more.
  const auto file = changed(silent_unit(), [](auto& unit) {
    unit.has_environment_files = true;
    unit.files.emplace().variable.contributions = {
        says(Origin::environment_file, "/etc/default/vllm", kJemallocPath, true)};
  });
  CHECK(judge(file, {right_process()}) == "compliant none +++++");
  CHECK(evidence(file, 1).ends_with("is set by /etc/default/vllm:3"));
  CHECK(evidence(file, 2) == "systemd reads that file at each start");

  const auto beaten =
      read_unit({says(Origin::environment_file, "/etc/default/vllm", "/opt/libtcmalloc.so", true)});
  CHECK(judge(beaten, {idle_process()}) == "not_applied not_configured +--u-");
  CHECK(evidence(beaten, 1) == "LD_PRELOAD=/opt/libtcmalloc.so names tcmalloc, set by /etc/default/vllm:3");
  const auto ours_beaten = changed(beaten, [](auto& unit) {
    unit.drop_in_path = kDropIn;
    unit.drop_in_present = unit.drop_in_loaded = true;
  });
  CHECK(judge(ours_beaten, {idle_process()}) == "violation overridden ++-u-");
  CHECK(evidence(ours_beaten, 2) ==
        "LD_PRELOAD=/opt/libtcmalloc.so, set by /etc/default/vllm:3, overrides it");

  const auto unset = read_unit({says(Origin::unset_environment, "/etc/systemd/system/x.conf", "", true)});
  CHECK(judge(unset, {process_with(Kind::glibc)}) == "violation overridden ++-u-");
  CHECK(evidence(unset, 2) == "UnsetEnvironment= at /etc/systemd/system/x.conf:3 removes LD_PRELOAD again");
  // One that names another value takes nothing away.
  const auto idle_unset = read_unit({says(Origin::unset_environment, "/x.conf", "other.so")});
  CHECK(judge(changed(idle_unset, [](auto& unit) { unit.files->variable.contributions[0].wins = true; }),
              {right_process()}) == "compliant none +++++");

  const auto manager = changed(silent_unit(), [](auto& unit) {
    unit.files.emplace().variable.contributions = {says(Origin::manager, "", kJemallocPath, true)};
  });
  CHECK(judge(manager, {right_process()}) == "compliant none +++++");
  CHECK(evidence(manager, 1).find("is set by systemd's own environment") != std::string::npos);
}

TEST_CASE("files that are not what systemd has loaded are not believed", "[policy]") {
  auto changed_since = read_unit();
  changed_since.files->variable.contributions[0].value = "/new/libtcmalloc.so.4";
  CHECK(judge(changed_since, {right_process()}) == "compliant none +++++");
  auto reset = read_unit();
  reset.files->variable.contributions[0].reset_by = unitfile::Place{"/x.conf", 1};
  CHECK(judge(reset, {right_process()}) == "compliant none +++++");
}

TEST_CASE("an environment file that may not be read is named", "[policy]") {
  auto unread = read_unit();
  unread.files->unread = {"/etc/vllm/secret.env"};
  const auto found = assess_unit(Wanted::jemalloc, unread, std::vector{right_process()});
  CHECK(found.state == State::compliant);
  CHECK(found.chain[2].evidence.find("/etc/vllm/secret.env would win over it, and may not be read") !=
        std::string::npos);
  auto silent = silent_unit();
  silent.files.emplace().unread = {"/etc/vllm/secret.env"};
  const auto nothing = assess_unit(Wanted::jemalloc, silent, std::vector{process_with(Kind::glibc)});
  CHECK(nothing.reason == Reason::not_configured);
  CHECK(nothing.chain[1].evidence.find("/etc/vllm/secret.env sets may not be read") != std::string::npos);
}

TEST_CASE("our drop-in of a former policy is not an override", "[policy]") {
  const auto former = changed(asking_unit(), [](auto& unit) {
    unit.environment = {"LD_PRELOAD=/opt/libtcmalloc.so"};
    unit.drop_in_path = kDropIn;
    unit.drop_in_present = unit.drop_in_loaded = true;
    unit.files.emplace().variable.contributions = {
        says(unitfile::Origin::environment, kDropIn, "/opt/libtcmalloc.so", true)};
  });
  CHECK(judge(former, {process_with(Kind::tcmalloc)}) == "not_applied not_configured +--u-");
}

TEST_CASE("our drop-in edited by hand", "[policy]") {
  const auto edited = [](const UnitSetting& unit) {
    return changed(unit, [](auto& edited_unit) {
      edited_unit.drop_in_path = kDropIn;
      edited_unit.drop_in_present = edited_unit.drop_in_loaded = edited_unit.is_tampered = true;
    });
  };
  CHECK(judge(edited(silent_unit()), {process_with(Kind::glibc)}) == "not_applied tampered +--u-");
  CHECK(judge(edited(silent_unit()), {right_process()}) == "not_applied tampered +--u+");
  // It still does what it should: visible, and no more than that.
  CHECK(judge(edited(asking_unit()), {right_process()}) == "compliant none +++++");
  CHECK(assess_unit(Wanted::jemalloc, edited(asking_unit()), std::vector{right_process()})
            .chain[1]
            .evidence.ends_with("was edited by hand"));
  CHECK(judge(edited(asking_unit()), {old_process()}) == "pending_restart started_before +++--");
  CHECK(judge(edited(asking_unit()), {right_process()}, Wanted::glibc) == "not_applied tampered +--u-");
  const auto unread = changed(edited(silent_unit()), [](auto& unit) { unit.need_daemon_reload = true; });
  CHECK(judge(unread, {process_with(Kind::glibc)}) == "not_applied tampered +--u-");
}

TEST_CASE("our drop-in deleted while systemd still has it loaded", "[policy]") {
  const auto deleted = changed(asking_unit(), [](auto& unit) {
    unit.drop_in_path = kDropIn;
    unit.drop_in_loaded = unit.need_daemon_reload = true;
  });
  CHECK(judge(deleted, {right_process()}) == "not_applied not_configured +-+u+");
  // The unit's own file says the same: nothing is lost.
  auto own = read_unit();
  own.drop_in_path = kDropIn;
  own.drop_in_loaded = true;
  CHECK(judge(own, {right_process()}) == "compliant none +++++");
}

TEST_CASE("taken back by the fuse or by hand", "[policy]") {
  const auto back = [](UnitSetting unit, bool by_hand = false) {
    unit.rolled_back = "vllm.service: its first start under the preload failed";
    unit.reverted_by_hand = by_hand;
    return unit;
  };
  CHECK(judge(back(silent_unit()), {process_with(Kind::glibc)}) == "rolled_back fuse +-uu-");
  CHECK(judge(back(silent_unit(), true), {process_with(Kind::glibc)}) ==
        "rolled_back reverted_by_hand +-uu-");
  // What still runs with it does not make it so after the next start.
  CHECK(judge(back(silent_unit()), {right_process()}) == "rolled_back fuse +-nn+");
  CHECK(judge(back(silent_unit()), {}) == "rolled_back fuse +-uuu");
  CHECK(judge(back(silent_unit()), {forbidden_process()}).starts_with("rolled_back fuse +-"));
  CHECK(assess_unit(Wanted::jemalloc, back(silent_unit()), {}).chain[1].evidence ==
        "allocd's drop-in was taken back: vllm.service: its first start under the preload failed");
  // Somebody else asks for it now: judged like any other unit.
  CHECK(judge(back(asking_unit()), {right_process()}) == "compliant none +++++");
  CHECK(judge(back(asking_unit()), {old_process()}) == "pending_restart started_before +++--");
  CHECK(judge(changed(back(silent_unit()), [](auto& unit) { unit.load_state = "not-found"; }), {})
            .starts_with("inactive unit_not_found"));
  CHECK(judge(changed(back(silent_unit()), [](auto& unit) { unit.bus_available = false; }), {})
            .starts_with("unknown bus_unavailable"));
  CHECK(judge(back(silent_unit()), {}, Wanted::any) == "exempt no_policy -nnnn");
}
