// SPDX-License-Identifier: Apache-2.0
// The unit manager and answers that are late, wrong or refused.
#include <string>

#include "support/catch.hpp"
#include "watched_machine.hpp"

using namespace allocd;
using namespace std::chrono_literals;
using allocd::test::by_pattern;
using allocd::test::Machine;
using allocd::test::named;

TEST_CASE("an answer that does not come hides no other unit and is asked for again") {
  Machine machine;
  machine.systemd.units["slow.service"] = {.main_pid = 1};
  machine.systemd.units["good.service"] = {.main_pid = 2};
  machine.systemd.held = {"slow.service"};
  const bool by_signal = GENERATE(true, false);
  machine.start(named({"slow.service", "good.service"}), [&](host::BusOptions& options) {
    options.call_deadline = 300ms;
    options.repair = by_signal ? 60'000ms : 100ms;
  });
  CHECK(machine.comes_to_pid("good.service", 2));
  REQUIRE(machine.loop.run_until([&] { return machine.manager->state().timeouts > 0; }));
  CHECK(machine.find("slow.service") == nullptr);
  CHECK_FALSE(machine.manager->state().complete);
  CHECK(machine.manager->state().last_error.find("slow") != std::string::npos);

  machine.systemd.held.clear();
  if (by_signal) machine.systemd.emit_changed("slow.service");
  CHECK(machine.comes_to_pid("slow.service", 1));
  CHECK(machine.settles());
}

TEST_CASE("an answer that comes after its deadline is thrown away") {
  Machine machine;
  machine.systemd.units["slow.service"] = {.main_pid = 1};
  // Long enough for the answers that do come, on a host that is busy with sanitizers: an early miss is asked
  // again later.
  machine.start(named({"slow.service"}), [](host::BusOptions& options) { options.call_deadline = 1500ms; });
  REQUIRE(machine.settles());
  const auto before = machine.manager->state().timeouts;
  machine.systemd.held = {"slow.service"};
  machine.systemd.emit_changed("slow.service");
  REQUIRE(machine.loop.run_until([&] { return machine.manager->state().timeouts > before; }));
  machine.systemd.units["slow.service"].main_pid = 2;
  machine.systemd.release_held("slow.service");
  machine.loop.run_for(100ms);
  CHECK(machine.has_pid("slow.service", 1));
}

TEST_CASE("a list that is not answered is asked for again") {
  Machine machine;
  machine.systemd.units["vllm@a.service"] = {.main_pid = 6};
  machine.systemd.hold_lists = true;
  machine.start(by_pattern("vllm@*"), [](host::BusOptions& options) {
    options.call_deadline = 300ms;
    options.repair = 50ms;
  });
  REQUIRE(machine.loop.run_until([&] { return machine.manager->state().timeouts > 0; }));
  CHECK_FALSE(machine.manager->state().complete);
  machine.systemd.hold_lists = false;
  CHECK(machine.comes_to_pid("vllm@a.service", 6));
  CHECK(machine.settles());
}

TEST_CASE("at most sixteen calls wait at a time, and all units are read in the end") {
  Machine machine;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "vllm@" + std::to_string(i) + ".service";
    machine.systemd.units[name] = {};
    machine.systemd.held.insert(name);
  }
  machine.start(by_pattern("vllm@*"));
  REQUIRE(machine.loop.run_until([&] { return machine.systemd.most_held >= 16; }));
  machine.loop.run_for(100ms);
  CHECK(machine.systemd.most_held == 16);
  const auto names = machine.systemd.held;
  for (const std::string& name : names) machine.systemd.release_held(name);
  REQUIRE(machine.settles());
  CHECK(machine.manager->units().size() == 40);
}

TEST_CASE("a property of a wrong type costs that unit's answer, an error count, and nothing else") {
  Machine machine;
  machine.systemd.units["bad.service"] = {.wrong_type = true};
  machine.systemd.units["good.service"] = {};
  machine.start(named({"bad.service", "good.service"}));
  REQUIRE(machine.settles());
  CHECK(machine.find("bad.service") == nullptr);
  CHECK(machine.has_pid("good.service", 100));
  CHECK(machine.manager->state().errors == 1);
  CHECK(machine.manager->state().last_error ==
        "bad.service: cannot read the property MainPID: it has type s where u is promised");

  machine.systemd.units["good.service"].wrong_type = true;
  machine.systemd.emit_changed("good.service");
  CHECK(machine.loop.run_until([&] { return machine.manager->state().errors == 2; }));
  CHECK(machine.has_pid("good.service", 100));
  machine.systemd.units["bad.service"].wrong_type = false;
  machine.systemd.emit_changed("bad.service");
  CHECK(machine.comes_to_pid("bad.service", 100));
}

TEST_CASE("an error is an answer: it is counted, and the rest is complete") {
  Machine machine;
  machine.systemd.units["secret.service"] = {.refused = true};
  machine.systemd.units["good.service"] = {};
  machine.start(named({"secret.service", "good.service"}));
  REQUIRE(machine.settles());
  CHECK(machine.manager->units().size() == 1);
  CHECK(machine.manager->state().errors == 1);
  CHECK(machine.manager->state().timeouts == 0);
  CHECK(machine.manager->state().last_error.find("not for you") != std::string::npos);
}
