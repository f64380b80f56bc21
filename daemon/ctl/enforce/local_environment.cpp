// SPDX-License-Identifier: Apache-2.0
#include "ctl/enforce/local_environment.hpp"

#include <algorithm>
#include <string_view>

#include "host/root.hpp"
#include "host/systemd_control.hpp"
#include "policy/desired.hpp"
#include "unitfile/read.hpp"

namespace allocd::ctl {

namespace {

using unitfile::EnvironmentFileText;

bool is_all_read(const unitfile::UnitSources& sources) {
  return sources.doubts.empty() && std::ranges::all_of(sources.environment_files, [](const auto& entry) {
           return entry.second.outcome != EnvironmentFileText::Outcome::unreadable;
         });
}

bool is_all_resolved(const unitfile::Variable& variable) {
  return std::ranges::all_of(variable.contributions, &unitfile::Contribution::is_resolved);
}

snapshot::Variable to_shown(std::string_view name, const unitfile::Variable& variable) {
  snapshot::Variable shown{std::string(name), variable.value, variable.is_set, {}};
  for (const auto& one : variable.contributions)
    shown.contributions.push_back(
        {one.origin, one.path, one.line, one.value, one.wins, one.reset_by.has_value()});
  return shown;
}

}  // namespace

std::optional<snapshot::Environment> read_local_environment(const snapshot::Unit& unit,
                                                            const std::string& bus_address) {
  const auto root = host::Root::open();
  host::SystemdControl control({.address = bus_address});
  auto manager = control.environment();
  if (!root || !manager) return std::nullopt;
  const auto machine = unitfile::read_machine(*root, std::move(*manager), control.version().value_or(""));
  const auto sources =
      unitfile::read_sources(*root, unit.name, unit.fragment_path, unit.drop_in_paths, machine);
  const auto environment = unitfile::compute_environment(sources);
  if (!is_all_read(sources) || !environment.can_start) return std::nullopt;
  snapshot::Environment shown{.known = true, .variables = {}, .doubts = {}};
  // Never another variable: environment files hold secrets.
  for (const auto name : policy::kVariables) {
    const auto found = environment.variables.find(std::string(name));
    if (found == environment.variables.end()) continue;
    if (!is_all_resolved(found->second)) return std::nullopt;
    shown.variables.push_back(to_shown(name, found->second));
  }
  return shown;
}

}  // namespace allocd::ctl
