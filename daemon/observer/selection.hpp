// SPDX-License-Identifier: Apache-2.0
// From settings to the units watched: what to ask systemd for, and which service a unit belongs to. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/unit_manager.hpp"
#include "settings/settings.hpp"

namespace allocd::observer {

// With no service configured: every loaded unit whose command is a known engine.
[[nodiscard]] bool uses_built_in_discovery(const settings::Settings& settings);
[[nodiscard]] host::UnitSelection select_units(const settings::Settings& settings);

// The first service with a selector for this unit, null when none has (built-in discovery).
[[nodiscard]] const settings::Service* find_service(const settings::Settings& settings,
                                                    std::string_view unit);

struct CgroupSelector {
  const settings::Service* service = nullptr;
  std::string pattern;
};
[[nodiscard]] std::vector<CgroupSelector> cgroup_selectors(const settings::Settings& settings);

}  // namespace allocd::observer
