// SPDX-License-Identifier: Apache-2.0
// From the a{sv} of Properties.GetAll on a unit to UnitFacts.
//
// Unknown properties are skipped; a property this systemd does not have keeps its default. A property of
// another type than org.freedesktop.systemd1(5) promises makes the whole answer a fault: facts are
// complete or absent, never half true. Reads the message, touches nothing else.
#pragma once

#include <systemd/sd-bus.h>

#include "base/result.hpp"
#include "host/unit_manager.hpp"

namespace allocd::host {

// `reply` stands before its a{sv}. `name` of the result is the unit's Id, which for an alias is another
// name than the one that was asked for.
[[nodiscard]] base::Result<UnitFacts> parse_unit_properties(sd_bus_message* reply);

}  // namespace allocd::host
