// SPDX-License-Identifier: Apache-2.0
#include "observer/status_line.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <map>

namespace allocd::observer {

namespace {

std::string count_of(std::size_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace

std::string render_status_line(const snapshot::Snapshot& snapshot) {
  std::map<policy::State, std::size_t> states;
  std::size_t processes = 0;
  for (const auto& unit : snapshot.units) {
    ++states[unit.assessment.state];
    processes += unit.processes.size();
  }
  std::string line = fmt::format("Watching {}, {}", count_of(snapshot.units.size(), "unit", "units"),
                                 count_of(processes, "process", "processes"));
  const char* separator = ": ";
  for (const auto& [state, count] : states) {
    line += fmt::format("{}{} {}", separator, count, policy::kStateNames.name(state));
    separator = ", ";
  }
  if (!snapshot.bus.connected) line += "; systemd is out of reach";
  if (!snapshot.config.last_reload_successful) line += "; the last reload was rejected";
  return line;
}

}  // namespace allocd::observer
