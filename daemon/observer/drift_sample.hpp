// SPDX-License-Identifier: Apache-2.0
// What of a snapshot is a sample of a unit's drift. Pure.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "drift/detector.hpp"
#include "drift/unit_history.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

// Whose life the unit's is: the main process, else the oldest. Null when there is no process.
[[nodiscard]] const snapshot::Process* find_main_process(const snapshot::Unit& unit);

struct DriftSample {
  drift::LifeKey key;
  drift::Sample sample;                  // without its roles: they are beside it
  std::vector<drift::RoleMemory> roles;  // in enum order
};
// Now, in seconds since boot and since the epoch; the latter tells how old what is known of the machine is.
// Nothing when the unit has no process.
[[nodiscard]] std::optional<DriftSample> make_drift_sample(const snapshot::Unit& unit,
                                                           const snapshot::Snapshot& snapshot,
                                                           double since_boot, double realtime);

// What a unit holds, by what it is limited.
struct Held {
  double memory = 0;  // anonymous and swapped
  double swapped = 0;
};
// memory.max of the control group or of the one above it that allows least, where it is one: what the machine
// does not have is no limit. Else what the unit holds and the machine has available. Neither counts what is
// swapped out, so that comes on top. None where the limit of some group could not be read: it may be the
// least.
[[nodiscard]] std::pair<drift::LimitKind, std::optional<double>> find_memory_limit(
    const snapshot::UnitCgroup& cgroup, const snapshot::Node& node, const Held& held);

}  // namespace allocd::observer
