// SPDX-License-Identifier: Apache-2.0
// A unit's environment read here and now with the caller's rights. allocd may not read every environment file
// (they hold secrets), root may: `sudo allocctl explain` then knows more than the snapshot.
//
// Reads only; blocking, for one answer of systemd.
#pragma once

#include <optional>
#include <string>

#include "snapshot/model.hpp"

namespace allocd::ctl {

// Nothing when this caller sees no more than allocd did: some doubt is left here too, or no bus answers.
[[nodiscard]] std::optional<snapshot::Environment> read_local_environment(const snapshot::Unit& unit,
                                                                          const std::string& bus_address);

}  // namespace allocd::ctl
