// SPDX-License-Identifier: Apache-2.0
// The unit manager follows systemd by its signals: units that come and go, jobs, reloads.
#include <string>

#include "support/catch.hpp"
#include "watched_machine.hpp"

using namespace allocd;
using namespace std::chrono_literals;
using allocd::test::by_pattern;
using allocd::test::Machine;
using allocd::test::named;

TEST_CASE("a unit comes into being, runs, is collected, and comes back, all by signals") {
  Machine machine;
  machine.start(named({"vllm.service"}));
  REQUIRE(machine.settles());
  CHECK(machine.find("vllm.service")->load_state == "not-found");

  machine.systemd.units["vllm.service"] = {.main_pid = 1};
  machine.systemd.emit_new("vllm.service");  // a busy systemd sends no PropertiesChanged for the first start
  CHECK(machine.comes_to_pid("vllm.service", 1));

  machine.systemd.units["vllm.service"] = {.active_state = "inactive", .main_pid = 0, .in_memory = false};
  machine.systemd.emit_removed("vllm.service");
  CHECK(machine.comes_to_pid("vllm.service", 0));
  CHECK(machine.find("vllm.service")->active_state == "inactive");

  machine.systemd.units["vllm.service"] = {.main_pid = 2};
  machine.systemd.emit_new("vllm.service");
  machine.systemd.emit_changed("vllm.service");
  CHECK(machine.comes_to_pid("vllm.service", 2));
}

TEST_CASE("a burst of signals costs few reads, of the units concerned only") {
  Machine machine;
  machine.systemd.units["busy.service"] = {};
  machine.systemd.units["quiet.service"] = {};
  machine.start(named({"busy.service", "quiet.service"}),
                [](host::BusOptions& options) { options.debounce = 150ms; });
  REQUIRE(machine.settles());
  machine.systemd.units["busy.service"].main_pid = 1000;
  for (int i = 0; i < 500; ++i) {
    machine.systemd.emit_changed("busy.service");
    machine.systemd.emit_job_removed("busy.service");
  }
  CHECK(machine.comes_to_pid("busy.service", 1000));
  CHECK(machine.systemd.reads["busy.service"] < 50);
  CHECK(machine.systemd.reads["quiet.service"] == 1);
}

TEST_CASE("the end of a job is enough to look at its unit") {
  Machine machine;
  machine.systemd.units["vllm.service"] = {};
  machine.start(named({"vllm.service"}));
  REQUIRE(machine.settles());
  machine.systemd.units["vllm.service"].main_pid = 5;
  machine.systemd.emit_job_removed("vllm.service");
  CHECK(machine.comes_to_pid("vllm.service", 5));
}

TEST_CASE("during a daemon-reload nothing vanishes, and after it everything is read again") {
  Machine machine;
  machine.systemd.units["vllm@a.service"] = {};
  machine.systemd.units["vllm@b.service"] = {};
  machine.start(by_pattern("vllm@*.service"));
  REQUIRE(machine.settles());
  bool vanished = false;
  machine.on_change = [&] { vanished = vanished || machine.find("vllm@a.service") == nullptr; };

  machine.systemd.emit_reloading(true);
  machine.systemd.emit_removed("vllm@a.service");
  machine.systemd.emit_removed("vllm@b.service");
  machine.loop.run_for(100ms);
  CHECK(machine.manager->units().size() == 2);
  CHECK(machine.systemd.lists == 1);

  machine.systemd.units["vllm@a.service"].main_pid = 42;
  machine.systemd.units.erase("vllm@b.service");
  machine.systemd.emit_new("vllm@a.service");
  machine.systemd.emit_reloading(false);
  CHECK(machine.comes_to_pid("vllm@a.service", 42));
  CHECK(machine.loop.run_until([&] { return machine.find("vllm@b.service") == nullptr; }));
  CHECK_FALSE(vanished);
  CHECK(machine.manager->state().complete);
}

TEST_CASE("when systemd last read its unit files is known with every reload, if it says so at all") {
  Machine machine;
  machine.systemd.units["vllm.service"] = {};
  const std::uint64_t first = GENERATE(std::uint64_t{0}, std::uint64_t{1'700'000'000'000'000});
  machine.systemd.load_usec = first;
  machine.start(named({"vllm.service"}));
  REQUIRE(machine.settles());
  CHECK(machine.manager->state().units_load_usec == first);
  CHECK(machine.manager->state().errors == 0);

  constexpr std::uint64_t kSecond = 1'700'000'001'000'000;
  machine.systemd.load_usec = kSecond;
  machine.systemd.units["vllm.service"].main_pid = 42;
  machine.systemd.emit_reloading(true);
  machine.systemd.emit_reloading(false);
  // Whoever sees what the reload brought sees when it was.
  REQUIRE(machine.comes_to_pid("vllm.service", 42));
  CHECK(machine.manager->state().units_load_usec == kSecond);
}

TEST_CASE("a reload that never ends does not freeze the view") {
  Machine machine;
  machine.systemd.units["vllm.service"] = {};
  machine.start(named({"vllm.service"}), [](host::BusOptions& options) { options.reload_deadline = 50ms; });
  REQUIRE(machine.settles());
  machine.systemd.units["vllm.service"].main_pid = 2;
  machine.systemd.emit_reloading(true);
  CHECK(machine.comes_to_pid("vllm.service", 2));
  machine.systemd.units["vllm.service"].main_pid = 3;
  machine.systemd.emit_changed("vllm.service");
  CHECK(machine.comes_to_pid("vllm.service", 3));
}

TEST_CASE("enabling a unit changes a property without a signal of its own") {
  Machine machine;
  machine.systemd.units["vllm.service"] = {};
  machine.start(named({"vllm.service"}));
  REQUIRE(machine.settles());
  machine.systemd.units["vllm.service"].main_pid = 4;
  machine.systemd.emit_unit_files_changed();
  CHECK(machine.comes_to_pid("vllm.service", 4));
}

TEST_CASE("signals that only look like systemd's are not believed") {
  Machine machine;
  machine.systemd.units["vllm@a.service"] = {};
  machine.start(by_pattern("vllm@*"));
  REQUIRE(machine.settles());
  sd_bus* raw = nullptr;
  REQUIRE(sd_bus_new(&raw) >= 0);
  const host::BusHandle stranger(raw);
  REQUIRE(sd_bus_set_address(raw, machine.bus.address().c_str()) >= 0);
  REQUIRE(sd_bus_set_bus_client(raw, 1) >= 0);
  REQUIRE(sd_bus_start(raw) >= 0);
  // Straight to us: the bus delivers that without a match.
  const auto send = [&](const char* path, const char* interface, const char* member, auto append) {
    sd_bus_message* signal = nullptr;
    REQUIRE(sd_bus_message_new_signal(raw, &signal, path, interface, member) >= 0);
    const host::MessageHandle owned(signal);
    append(signal);
    REQUIRE(sd_bus_message_set_destination(signal, machine.systemd.client.c_str()) >= 0);
    REQUIRE(sd_bus_send(raw, signal, nullptr) >= 0);
  };
  constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
  constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
  send("/org/freedesktop/systemd1/unit/vllm_40a_2eservice", "org.freedesktop.DBus.Properties",
       "PropertiesChanged", [](sd_bus_message* signal) {
         sd_bus_message_append(signal, "sa{sv}as", "org.freedesktop.systemd1.Unit", 0, 0);
       });
  REQUIRE(sd_bus_flush(raw) >= 0);
  machine.loop.run_for(100ms);
  CHECK(machine.systemd.reads["vllm@a.service"] == 1);

  send(kManagerPath, kManager, "UnitRemoved",
       [](sd_bus_message* signal) { sd_bus_message_append(signal, "so", "vllm@a.service", "/"); });
  send(kManagerPath, kManager, "Reloading",
       [](sd_bus_message* signal) { sd_bus_message_append(signal, "b", 1); });
  REQUIRE(sd_bus_flush(raw) >= 0);
  machine.loop.run_for(100ms);
  CHECK(machine.manager->units().size() == 1);
  machine.systemd.units["vllm@a.service"].main_pid = 8;
  machine.systemd.emit_changed("vllm@a.service");
  CHECK(machine.comes_to_pid("vllm@a.service", 8));
}
