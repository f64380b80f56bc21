// SPDX-License-Identifier: Apache-2.0
// Hands a sampled unit to the policy and writes the verdict into it.
#pragma once

#include "host/root.hpp"
#include "host/unit_manager.hpp"
#include "observer/preload_files.hpp"
#include "policy/assess.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

// What systemd would give the unit's processes. `facts` is null for a cgroup that no unit of ours starts.
// Looks at the times of the unit's files and at our own drop-in.
[[nodiscard]] policy::UnitSetting make_unit_setting(const host::Root& root, PreloadFiles& files,
                                                    const snapshot::Unit& unit, const host::UnitFacts* facts,
                                                    const host::BusState& bus);

// Sets state and reason of every process and of the unit, and the unit's chain.
void assess(snapshot::Unit& unit, const policy::UnitSetting& setting);

}  // namespace allocd::observer
