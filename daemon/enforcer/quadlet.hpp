// SPDX-License-Identifier: Apache-2.0
// The files of a container that podman's generator makes a unit of. Blocking file reads; any thread.
#pragma once

#include <vector>

#include "host/root.hpp"
#include "host/unit_manager.hpp"
#include "unitfile/environment.hpp"

namespace allocd::enforcer {

// The file the unit was made from, and its drop-ins as podman reads them, allocd's own among them. Nothing
// for a unit that is made from none, and when one of them cannot be read: merging would be a guess.
[[nodiscard]] std::vector<unitfile::SourceText> read_quadlet(const host::Root& root,
                                                             const host::UnitFacts& facts);

}  // namespace allocd::enforcer
