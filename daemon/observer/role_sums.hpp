// SPDX-License-Identifier: Apache-2.0
// Sums of a unit's processes by role. Pure.
#pragma once

#include <vector>

#include "snapshot/model.hpp"

namespace allocd::observer {

// One sum per role seen, in enum order.
[[nodiscard]] std::vector<snapshot::RoleSum> sum_roles(const std::vector<snapshot::Process>& processes);

}  // namespace allocd::observer
