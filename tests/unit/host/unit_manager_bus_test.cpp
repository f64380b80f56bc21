// SPDX-License-Identifier: Apache-2.0
// The unit manager when systemd or the bus itself goes away and comes back.
#include <string>

#include "support/catch.hpp"
#include "watched_machine.hpp"

using namespace allocd;
using namespace std::chrono_literals;
using allocd::test::Machine;
using allocd::test::named;

TEST_CASE("systemd executes itself again: we subscribe and read again, and keep the view meanwhile") {
  Machine machine;
  machine.systemd.units["vllm.service"] = {};
  machine.start(named({"vllm.service"}));
  REQUIRE(machine.settles());
  machine.systemd.release_name();
  REQUIRE(machine.loop.run_until([&] { return !machine.manager->state().connected; }));
  CHECK(machine.has_pid("vllm.service", 100));
  machine.systemd.units["vllm.service"].main_pid = 200;
  machine.systemd.take_name();
  CHECK(machine.comes_to_pid("vllm.service", 200));
  CHECK(machine.settles());
  CHECK(machine.systemd.subscriptions == 2);
  CHECK(machine.manager->state().reconnects == 0);
}

TEST_CASE("an answer to a question asked before systemd executed itself again is thrown away") {
  Machine machine;
  machine.systemd.units["vllm.service"] = {};
  machine.systemd.held = {"vllm.service"};
  machine.start(named({"vllm.service"}));
  REQUIRE(machine.loop.run_until([&] { return machine.systemd.most_held > 0; }));
  machine.systemd.release_name();
  REQUIRE(machine.loop.run_until([&] { return !machine.manager->state().connected; }));
  machine.systemd.held.clear();
  machine.systemd.units["vllm.service"].main_pid = 2;
  machine.systemd.take_name();
  CHECK(machine.comes_to_pid("vllm.service", 2));
  machine.systemd.units["vllm.service"].main_pid = 1;
  machine.systemd.release_held("vllm.service");
  machine.loop.run_for(100ms);
  CHECK(machine.has_pid("vllm.service", 2));
}

TEST_CASE("systemd dies with calls in flight and another one takes over") {
  Machine machine;
  machine.systemd.units["vllm.service"] = {};
  machine.systemd.held = {"vllm.service"};
  machine.start(named({"vllm.service"}));
  REQUIRE(machine.loop.run_until([&] { return machine.systemd.most_held > 0; }));
  machine.systemd.disconnect();
  REQUIRE(machine.loop.run_until([&] { return !machine.manager->state().connected; }));
  machine.systemd.held.clear();
  machine.systemd.connect();
  CHECK(machine.comes_to_pid("vllm.service", 100));
  CHECK(machine.settles());
  CHECK(machine.manager->state().timeouts == 0);
}

TEST_CASE("the bus is restarted: the view stays, the connection comes back") {
  Machine machine;
  machine.systemd.units["vllm.service"] = {};
  machine.start(named({"vllm.service"}));
  REQUIRE(machine.settles());
  const int changes = machine.changes;
  machine.bus.stop();
  REQUIRE(machine.loop.run_until([&] { return !machine.manager->state().connected; }));
  CHECK(machine.has_pid("vllm.service", 100));
  CHECK_FALSE(machine.manager->state().last_error.empty());
  CHECK(machine.loop.run_until([&] { return machine.changes > changes; }));

  machine.loop.run_for(200ms);  // some attempts that fail
  machine.systemd.disconnect();
  machine.systemd.units["vllm.service"].main_pid = 300;
  machine.bus.start();
  machine.loop.run_for(100ms);  // the bus is back before systemd is
  CHECK(machine.has_pid("vllm.service", 100));
  machine.systemd.connect();
  CHECK(machine.comes_to_pid("vllm.service", 300));
  CHECK(machine.settles());
  CHECK(machine.manager->state().reconnects == 1);
}

TEST_CASE("a bus that is missing, or connects and says nothing, is tried until it answers") {
  Machine machine;
  machine.systemd.units["vllm.service"] = {};
  const auto deadline = [](host::BusOptions& options) { options.call_deadline = 500ms; };
  SECTION("missing") {
    machine.bus.stop();
    machine.start(named({"vllm.service"}), deadline);
    CHECK(machine.loop.run_until([&] { return !machine.manager->state().last_error.empty(); }));
    machine.systemd.disconnect();
    machine.bus.start();
    machine.systemd.connect();
  }
  SECTION("silent") {
    machine.bus.freeze(true);
    machine.start(named({"vllm.service"}), deadline);
    CHECK(machine.loop.run_until(
        [&] { return machine.manager->state().last_error.find("deadline") != std::string::npos; }));
    CHECK_FALSE(machine.manager->state().connected);
    machine.bus.freeze(false);
  }
  CHECK(machine.comes_to_pid("vllm.service", 100));
  CHECK(machine.settles());
  CHECK(machine.manager->state().reconnects == 0);
}
