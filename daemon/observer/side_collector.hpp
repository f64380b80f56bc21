// SPDX-License-Identifier: Apache-2.0
// How the work of a side lane shows among the collectors. A run is noted once, when it has ended, so that
// times and counts are of runs and not of samples.
#pragma once

#include <string>

#include "observer/side_lane.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

// `error`: "" for a good run.
void note_run(snapshot::Collector& collector, const SideCost& cost, std::string error);
// A run that never began.
void note_failure(snapshot::Collector& collector, std::string error);
// Into the snapshot, once there is a run to tell of. A job that has not come back for a while is shown as a
// failure, though not a counted one.
void show_collector(const snapshot::Collector& collector, const SideLane& lane, Clock::time_point now,
                    snapshot::Snapshot& snapshot);

}  // namespace allocd::observer
