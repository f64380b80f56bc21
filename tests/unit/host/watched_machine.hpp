// SPDX-License-Identifier: Apache-2.0
// A bus daemon, a stand-in for systemd on it, and the unit manager that watches it, on one loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "event_loop.hpp"
#include "fake_systemd.hpp"
#include "host/unit_manager.hpp"
#include "private_bus.hpp"
#include "support/catch.hpp"

namespace allocd::test {

inline host::BusOptions quick(std::string address) {
  host::BusOptions options;
  options.address = std::move(address);
  options.debounce = std::chrono::milliseconds(20);
  options.reconnect_min = std::chrono::milliseconds(20);
  options.reconnect_max = std::chrono::milliseconds(100);
  return options;
}

// A bus, a systemd on it, and a manager whose changes are counted.
struct Machine {
  EventLoop loop;
  PrivateBus bus;
  FakeSystemd systemd{loop.get(), bus.address()};
  int changes = 0;
  std::function<void()> on_change;
  std::unique_ptr<host::UnitManager> manager;

  void start(host::UnitSelection selection, const std::function<void(host::BusOptions&)>& adjust = {}) {
    host::BusOptions options = quick(bus.address());
    if (adjust) adjust(options);
    auto made = host::make_unit_manager(loop.get(), options, [this] {
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
  [[nodiscard]] const host::UnitFacts* find(const std::string& name) const {
    const auto unit = manager->units().find(name);
    return unit == manager->units().end() ? nullptr : &unit->second;
  }
  [[nodiscard]] bool has_pid(const std::string& name, std::uint32_t pid) const {
    const host::UnitFacts* unit = find(name);
    return unit != nullptr && unit->main_pid == pid;
  }
  [[nodiscard]] bool comes_to_pid(const std::string& name, std::uint32_t pid) {
    return loop.run_until([&] { return has_pid(name, pid); });
  }
};

inline host::UnitSelection named(std::vector<std::string> names) {
  return {.names = std::move(names), .patterns = {}, .accepts = {}};
}
inline host::UnitSelection by_pattern(std::string pattern) {
  return {.names = {}, .patterns = {std::move(pattern)}, .accepts = {}};
}
inline host::UnitSelection engines() {
  return {.names = {}, .patterns = {}, .accepts = [](const host::UnitFacts& unit) {
            return !unit.exec_start.empty() && unit.exec_start[0][0] == "/usr/bin/vllm";
          }};
}

}  // namespace allocd::test
