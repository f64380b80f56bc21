// SPDX-License-Identifier: Apache-2.0
// The unit manager: which units there are, what is known of them, and who is told.
#include "host/unit_manager.hpp"

#include <string>

#include "support/catch.hpp"
#include "watched_machine.hpp"

using namespace allocd;
using namespace std::chrono_literals;
using allocd::test::by_pattern;
using allocd::test::engines;
using allocd::test::Machine;
using allocd::test::named;

TEST_CASE("all facts of a unit arrive, and a unit that does not exist is told so") {
  Machine machine;
  machine.systemd.units["vllm@a.service"] = {};
  machine.start(named({"vllm@a.service", "absent.service"}));
  CHECK_FALSE(machine.manager->state().complete);
  REQUIRE(machine.settles());
  const host::UnitFacts* unit = machine.find("vllm@a.service");
  REQUIRE(unit != nullptr);
  CHECK(unit->name == "vllm@a.service");
  CHECK(unit->load_state == "loaded");
  CHECK(unit->active_state == "active");
  CHECK(unit->drop_in_paths == std::vector<std::string>{"/etc/a.conf", "/etc/zz-allocd.conf"});
  CHECK(unit->need_daemon_reload);
  CHECK(unit->numa_policy == 2);
  CHECK(unit->numa_mask == std::vector<unsigned>{1});
  CHECK(unit->cpu_affinity == std::vector<unsigned>{0, 7, 8});
  CHECK(unit->active_enter_usec == 1'700'000'000'000'000);
  CHECK(unit->invocation_id == "ab0102030405060708090a0b0c0d0eff");
  CHECK(unit->control_group == "/system.slice/vllm@a.service");
  CHECK(unit->main_pid == 100);
  CHECK(unit->environment == std::vector<std::string>{"LD_PRELOAD=/usr/lib/libjemalloc.so.2"});
  CHECK(unit->environment_files ==
        std::vector<host::EnvironmentFile>{{"/etc/default/a", true}, {"/etc/default/b", false}});
  CHECK(unit->bind_paths ==
        std::vector<host::BindPath>{{"/srv/models", "/models"}, {"/usr/lib", "/usr/lib"}});
  CHECK(unit->exec_start == std::vector<std::vector<std::string>>{{"/usr/bin/vllm", "serve"}});
  REQUIRE(machine.find("absent.service") != nullptr);
  CHECK(machine.find("absent.service")->load_state == "not-found");
  CHECK(machine.systemd.subscriptions == 1);
  CHECK(machine.manager->state().errors == 0);
  CHECK(machine.loop.run_until([&] { return machine.changes > 0; }));
}

TEST_CASE("reading a unit that is not in memory does not cause the next read") {
  Machine machine;
  machine.systemd.units["down.service"] = {.active_state = "inactive", .in_memory = false};
  machine.start(named({"absent.service", "down.service"}));
  REQUIRE(machine.settles());
  machine.loop.run_for(300ms);
  CHECK(machine.systemd.reads["absent.service"] == 1);
  CHECK(machine.systemd.reads["down.service"] == 1);
}

TEST_CASE("a pattern follows loaded units and nothing else") {
  Machine machine;
  machine.systemd.units["vllm@a.service"] = {};
  machine.systemd.units["vllm@named-by-a-target.service"] = {.load_state = "not-found"};
  machine.systemd.units["cron.service"] = {};
  machine.start(by_pattern("vllm@*.service"));
  REQUIRE(machine.settles());
  CHECK(machine.manager->units().size() == 1);
  CHECK(machine.find("vllm@a.service") != nullptr);

  machine.systemd.units["vllm@b.service"] = {.main_pid = 7};
  machine.systemd.emit_new("vllm@b.service");
  machine.systemd.emit_new("cron.service");
  machine.systemd.emit_changed("cron.service");
  CHECK(machine.comes_to_pid("vllm@b.service", 7));
  machine.systemd.units.erase("vllm@a.service");
  machine.systemd.emit_removed("vllm@a.service");
  CHECK(machine.loop.run_until([&] { return machine.find("vllm@a.service") == nullptr; }));
  CHECK(machine.systemd.reads.count("cron.service") == 0);
}

TEST_CASE("an engine is recognised by its command, now or when it is loaded later") {
  Machine machine;
  machine.systemd.units["llm.service"] = {};
  machine.systemd.units["cron.service"] = {.argv = {"/usr/sbin/cron"}};
  machine.systemd.units["masked.service"] = {.load_state = "masked"};
  machine.systemd.units["vllm.slice"] = {};
  machine.start(engines());
  REQUIRE(machine.settles());
  CHECK(machine.manager->units().size() == 1);
  CHECK(machine.find("llm.service") != nullptr);

  machine.systemd.units["late.service"] = {.main_pid = 9};
  machine.systemd.emit_changed("cron.service");  // was refused once: not read again and again
  machine.systemd.emit_new("late.service");
  CHECK(machine.comes_to_pid("late.service", 9));
  CHECK(machine.systemd.reads["cron.service"] == 1);
  CHECK(machine.systemd.reads.count("vllm.slice") == 0);
  CHECK(machine.systemd.reads.count("masked.service") == 0);

  machine.systemd.units["cron.service"] = {.main_pid = 3};  // the same name, loaded anew with another command
  machine.systemd.emit_removed("cron.service");
  machine.systemd.emit_new("cron.service");
  CHECK(machine.comes_to_pid("cron.service", 3));
}

TEST_CASE("a unit selected by an alias has facts under that name and is not counted twice") {
  Machine machine;
  machine.systemd.units["llm.service"] = {.alias_of = "vllm.service"};
  machine.systemd.units["vllm.service"] = {.main_pid = 11};
  host::UnitSelection selection = engines();
  selection.names = {"llm.service"};
  machine.start(std::move(selection));
  REQUIRE(machine.settles());
  CHECK(machine.manager->units().size() == 1);
  CHECK(machine.has_pid("llm.service", 11));
  CHECK(machine.find("llm.service")->name == "llm.service");
  machine.systemd.units["vllm.service"].main_pid = 12;
  machine.systemd.emit_changed("vllm.service");  // systemd speaks of the unit by its own name
  CHECK(machine.comes_to_pid("llm.service", 12));
  CHECK(machine.manager->units().size() == 1);
}

TEST_CASE("the selection may be replaced from inside the notification") {
  Machine machine;
  machine.systemd.units["a.service"] = {};
  machine.systemd.units["b.service"] = {};
  machine.start(named({"a.service"}));
  bool replaced = false;
  machine.on_change = [&] {
    if (!replaced && machine.manager->state().complete) {
      replaced = true;
      machine.manager->select(named({"b.service"}));
      CHECK_FALSE(machine.manager->state().complete);
    }
  };
  CHECK(machine.comes_to_pid("b.service", 100));
  CHECK(machine.settles());
  CHECK(machine.find("a.service") == nullptr);
}

TEST_CASE("facts of units that stay selected survive a new selection") {
  Machine machine;
  machine.systemd.units["a.service"] = {};
  machine.systemd.units["b.service"] = {};
  machine.start(named({"a.service"}));
  REQUIRE(machine.settles());
  machine.manager->select(named({"a.service", "b.service"}));
  CHECK(machine.has_pid("a.service", 100));
  CHECK_FALSE(machine.manager->state().complete);
  CHECK(machine.comes_to_pid("b.service", 100));
}

TEST_CASE("nothing is called after destruction, wherever it happens") {
  Machine machine;
  machine.systemd.units["a.service"] = {};
  SECTION("inside the notification") {
    machine.start(named({"a.service"}));
    machine.on_change = [&] { machine.manager.reset(); };
    CHECK(machine.loop.run_until([&] { return machine.manager == nullptr; }));
  }
  SECTION("with calls in flight") {
    machine.systemd.held = {"a.service"};
    machine.start(named({"a.service"}));
    REQUIRE(machine.loop.run_until([&] { return machine.systemd.most_held > 0; }));
    machine.manager.reset();
    machine.systemd.release_held("a.service");
  }
  SECTION("before the loop ran at all") {
    machine.start(named({"a.service"}));
    machine.manager.reset();
  }
  const int changes = machine.changes;
  machine.systemd.emit_changed("a.service");
  machine.loop.run_for(100ms);
  CHECK(machine.changes == changes);
}

TEST_CASE("an empty selection is complete, and re-reading what did not change tells nobody") {
  Machine machine;
  machine.systemd.units["a.service"] = {};
  machine.start({});
  CHECK(machine.settles());
  machine.manager->select(named({"a.service"}));
  REQUIRE(machine.settles());
  machine.loop.run_for(100ms);
  const int changes = machine.changes;
  const int reads = machine.systemd.reads["a.service"];
  machine.systemd.emit_changed("a.service");
  CHECK(machine.loop.run_until([&] { return machine.systemd.reads["a.service"] > reads; }));
  machine.loop.run_for(100ms);
  CHECK(machine.changes == changes);
}
