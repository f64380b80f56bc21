// SPDX-License-Identifier: Apache-2.0
// From settings to units: what to ask systemd for, and which service a unit belongs to. Pure.
#pragma once

#include <string_view>

#include "host/unit_manager.hpp"
#include "settings/settings.hpp"

namespace allocd::policy {

// With no service configured: every loaded unit whose command is a known engine.
[[nodiscard]] bool uses_built_in_discovery(const settings::Settings& settings);
[[nodiscard]] host::UnitSelection select_units(const settings::Settings& settings);

// The first service with a selector for this unit, null when none has (built-in discovery).
[[nodiscard]] const settings::Service* find_service(const settings::Settings& settings,
                                                    std::string_view unit);

// Whether the service takes every instance of the unit's template, and no other service selects one.
[[nodiscard]] bool covers_template(const settings::Settings& settings, const settings::Service& service,
                                   std::string_view unit);

}  // namespace allocd::policy
