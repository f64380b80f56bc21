// SPDX-License-Identifier: Apache-2.0
// Hands a sampled unit to the policy and writes the verdict into it.
#pragma once

#include <cstdint>
#include <vector>

#include "host/root.hpp"
#include "host/unit_manager.hpp"
#include "observer/preload_files.hpp"
#include "policy/assess.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

// What this sample does not show of a unit.
struct Gaps {
  std::uint64_t unseen = 0;           // processes it has that could not be read, or were too many
  std::vector<std::int32_t> pending;  // pids whose first evidence is still to come, in order
};

// What systemd would give the unit's processes. `facts` is null for a cgroup that no unit of ours starts.
// Looks at the times of the unit's files and at our own drop-in. `units_loaded_at`: when systemd last read
// its unit files, in seconds since the epoch.
[[nodiscard]] policy::UnitSetting make_unit_setting(const host::Root& root, PreloadFiles& files,
                                                    const snapshot::Unit& unit, const host::UnitFacts* facts,
                                                    double units_loaded_at, const Gaps& gaps);

// Sets state and reason of every process and of the unit, and the unit's chain.
void assess(snapshot::Unit& unit, const policy::UnitSetting& setting, const Gaps& gaps);

}  // namespace allocd::observer
