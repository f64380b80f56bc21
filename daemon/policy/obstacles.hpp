// SPDX-License-Identifier: Apache-2.0
// What stands in the way of a unit's drop-in before its environment is even looked at. Pure; any thread.
#pragma once

#include <optional>
#include <string>

#include "policy/candidate.hpp"
#include "policy/plan.hpp"

namespace allocd::policy {

// Whether ExecStart= starts a container client: a [Service] drop-in stops at the client.
[[nodiscard]] bool is_container(const UnitInput& unit);

// The first obstacle, in the order of what an operator would mend first. `target` is whose drop-in it would
// be.
[[nodiscard]] std::optional<Obstacle> find_obstacle(const UnitInput& unit, const std::string& target);

}  // namespace allocd::policy
