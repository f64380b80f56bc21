// SPDX-License-Identifier: Apache-2.0
// What the fuse is shown of a unit: systemd's view and, when it decides, the answer of the health URL.
#pragma once

#include <chrono>

#include "host/unit_manager.hpp"
#include "policy/fuse.hpp"
#include "settings/settings.hpp"

namespace allocd::enforcer {

[[nodiscard]] policy::FuseView view_of(const host::UnitFacts& facts);

// Asks the URL only when the settle time is over: a model that still loads owes no answer. Blocking, a few
// seconds at most.
[[nodiscard]] policy::FuseView add_health(policy::FuseView view, const policy::FuseMemory& memory,
                                          const settings::Service* service, std::chrono::milliseconds settle);

}  // namespace allocd::enforcer
