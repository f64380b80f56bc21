// SPDX-License-Identifier: Apache-2.0
// `verify`: every unit with a policy in one line: its state, and the link of the chain that fails. Pure.
#pragma once

#include <string>
#include <vector>

#include "ctl/render_options.hpp"
#include "snapshot/model.hpp"

namespace allocd::ctl {

using UnitList = std::vector<const snapshot::Unit*>;

// Those the configuration asks something of, by name.
[[nodiscard]] UnitList units_with_policy(const snapshot::Snapshot& snapshot);
// Whether each is compliant, exempt or inactive.
[[nodiscard]] bool are_settled(const UnitList& units);

[[nodiscard]] std::string render_verify(const UnitList& units, const RenderOptions& options);
[[nodiscard]] std::string render_verify_json(const snapshot::Snapshot& snapshot, const UnitList& units);

}  // namespace allocd::ctl
