// SPDX-License-Identifier: Apache-2.0
// Hands a sampled unit to the policy and writes the verdict into it.
#pragma once

#include <cstdint>
#include <vector>

#include "host/unit_manager.hpp"
#include "observer/enforcer_view.hpp"
#include "observer/unit_files.hpp"
#include "policy/assess.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

// What this sample does not show of a unit.
struct Gaps {
  std::uint64_t unseen = 0;           // processes it has that could not be read, or were too many
  std::vector<std::int32_t> pending;  // pids whose first evidence is still to come, in order
};

// What systemd would give the unit's processes, by its own word. `facts` is null for a cgroup that no unit of
// ours starts.
[[nodiscard]] policy::UnitSetting make_unit_setting(const snapshot::Unit& unit, const host::UnitFacts* facts,
                                                    const Gaps& gaps);
// And by the unit's files; shows them in the unit.
void add_files(const UnitFilesView& files, policy::UnitSetting& setting, snapshot::Unit& unit);
// And by what the enforcer remembers of it.
void add_record(const enforcer::TargetRecord& record, const host::UnitFacts& facts,
                policy::UnitSetting& setting, snapshot::Unit& unit);

// Sets state and reason of every process and of the unit, and the unit's chain.
void assess(snapshot::Unit& unit, policy::UnitSetting setting, const Gaps& gaps);

}  // namespace allocd::observer
