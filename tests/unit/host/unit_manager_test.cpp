// SPDX-License-Identifier: Apache-2.0
// The unit manager against a bus daemon and a stand-in for systemd, both of which fail on demand.
#include "host/unit_manager.hpp"

#include <utility>

#include "event_loop.hpp"
#include "fake_systemd.hpp"
#include "private_bus.hpp"
#include "support/catch.hpp"

using namespace allocd::host;
using allocd::test::EventLoop;
using allocd::test::FakeSystemd;
using allocd::test::FakeUnit;
using allocd::test::PrivateBus;
using namespace std::chrono_literals;

namespace {

BusOptions quick(std::string address) {
  BusOptions options;
  options.address = std::move(address);
  options.debounce = 20ms;
  options.reconnect_min = 20ms;
  options.reconnect_max = 100ms;
  return options;
}

// A bus, a systemd on it, and a manager whose changes are counted.
struct Machine {
  EventLoop loop;
  PrivateBus bus;
  FakeSystemd systemd{loop.get(), bus.address()};
  int changes = 0;
  std::function<void()> on_change;
  std::unique_ptr<UnitManager> manager;

  void start(UnitSelection selection, const std::function<void(BusOptions&)>& adjust = {}) {
    BusOptions options = quick(bus.address());
    if (adjust) adjust(options);
    auto made = make_unit_manager(loop.get(), options, [this] {
      ++changes;
      if (on_change) on_change();
    });
    REQUIRE(made.has_value());
    manager = std::move(*made);
    manager->select(std::move(selection));
  }
  [[nodiscard]] bool settles() {
    return loop.run_until([this] { return manager->state().connected && manager->state().complete; });
  }
  [[nodiscard]] const UnitFacts* find(const std::string& name) const {
    const auto unit = manager->units().find(name);
    return unit == manager->units().end() ? nullptr : &unit->second;
  }
  [[nodiscard]] bool has_pid(const std::string& name, std::uint32_t pid) const {
    const UnitFacts* unit = find(name);
    return unit != nullptr && unit->main_pid == pid;
  }
  [[nodiscard]] bool comes_to_pid(const std::string& name, std::uint32_t pid) {
    return loop.run_until([&] { return has_pid(name, pid); });
  }
};

UnitSelection named(std::vector<std::string> names) {
  return {.names = std::move(names), .patterns = {}, .accepts = {}};
}
UnitSelection by_pattern(std::string pattern) {
  return {.names = {}, .patterns = {std::move(pattern)}, .accepts = {}};
}
UnitSelection engines() {
  return {.names = {}, .patterns = {}, .accepts = [](const UnitFacts& unit) {
            return !unit.exec_start.empty() && unit.exec_start[0][0] == "/usr/bin/vllm";
          }};
}

}  // namespace

TEST_CASE("all facts of a unit arrive, and a unit that does not exist is told so") {
  Machine machine;
  machine.systemd.units["vllm@a.service"] = {};
  machine.start(named({"vllm@a.service", "absent.service"}));
  CHECK_FALSE(machine.manager->state().complete);
  REQUIRE(machine.settles());
  const UnitFacts* unit = machine.find("vllm@a.service");
  REQUIRE(unit != nullptr);
  CHECK(unit->name == "vllm@a.service");
  CHECK(unit->load_state == "loaded");
  CHECK(unit->active_state == "active");
  CHECK(unit->drop_in_paths == std::vector<std::string>{"/etc/a.conf", "/etc/zz-allocd.conf"});
  CHECK(unit->need_daemon_reload);
  CHECK(unit->active_enter_usec == 1'700'000'000'000'000);
  CHECK(unit->invocation_id == "ab0102030405060708090a0b0c0d0eff");
  CHECK(unit->control_group == "/system.slice/vllm@a.service");
  CHECK(unit->main_pid == 100);
  CHECK(unit->environment == std::vector<std::string>{"LD_PRELOAD=/usr/lib/libjemalloc.so.2"});
  CHECK(unit->environment_files ==
        std::vector<EnvironmentFile>{{"/etc/default/a", true}, {"/etc/default/b", false}});
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

TEST_CASE("a burst of signals costs few reads, of the units concerned only") {
  Machine machine;
  machine.systemd.units["busy.service"] = {};
  machine.systemd.units["quiet.service"] = {};
  machine.start(named({"busy.service", "quiet.service"}),
                [](BusOptions& options) { options.debounce = 150ms; });
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

TEST_CASE("a reload that never ends does not freeze the view") {
  Machine machine;
  machine.systemd.units["vllm.service"] = {};
  machine.start(named({"vllm.service"}), [](BusOptions& options) { options.reload_deadline = 50ms; });
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

TEST_CASE("an answer that does not come hides no other unit and is asked for again") {
  Machine machine;
  machine.systemd.units["slow.service"] = {.main_pid = 1};
  machine.systemd.units["good.service"] = {.main_pid = 2};
  machine.systemd.held = {"slow.service"};
  const bool by_signal = GENERATE(true, false);
  machine.start(named({"slow.service", "good.service"}), [&](BusOptions& options) {
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
  machine.start(named({"slow.service"}), [](BusOptions& options) { options.call_deadline = 300ms; });
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
  machine.start(by_pattern("vllm@*"), [](BusOptions& options) {
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
  const auto deadline = [](BusOptions& options) { options.call_deadline = 500ms; };
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

TEST_CASE("a unit selected by an alias has facts under that name and is not counted twice") {
  Machine machine;
  machine.systemd.units["llm.service"] = {.alias_of = "vllm.service"};
  machine.systemd.units["vllm.service"] = {.main_pid = 11};
  UnitSelection selection = engines();
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

TEST_CASE("signals that only look like systemd's are not believed") {
  Machine machine;
  machine.systemd.units["vllm@a.service"] = {};
  machine.start(by_pattern("vllm@*"));
  REQUIRE(machine.settles());
  sd_bus* raw = nullptr;
  REQUIRE(sd_bus_new(&raw) >= 0);
  const BusHandle stranger(raw);
  REQUIRE(sd_bus_set_address(raw, machine.bus.address().c_str()) >= 0);
  REQUIRE(sd_bus_set_bus_client(raw, 1) >= 0);
  REQUIRE(sd_bus_start(raw) >= 0);
  // Straight to us: the bus delivers that without a match.
  const auto send = [&](const char* path, const char* interface, const char* member, auto append) {
    sd_bus_message* signal = nullptr;
    REQUIRE(sd_bus_message_new_signal(raw, &signal, path, interface, member) >= 0);
    const MessageHandle owned(signal);
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
