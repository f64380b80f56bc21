// SPDX-License-Identifier: Apache-2.0
#include "observer/side_collector.hpp"

#include <fmt/format.h>

#include <utility>

#include "kernel/system.hpp"

namespace allocd::observer {

namespace {

// Longer than any reading that is well: the longest is told to stop after two seconds.
constexpr std::chrono::seconds kStuck{10};

}  // namespace

void note_run(snapshot::Collector& collector, const SideCost& cost, std::string error) {
  collector.duration = cost.seconds;
  collector.cpu = cost.cpu;
  if (!error.empty()) return note_failure(collector, std::move(error));
  collector.success = true;
  collector.last_success_at = kernel::realtime_now();
  collector.last_error.clear();
}

void note_failure(snapshot::Collector& collector, std::string error) {
  collector.success = false;
  ++collector.errors;
  collector.last_error = std::move(error);
}

void show_collector(const snapshot::Collector& collector, const SideLane& lane, Clock::time_point now,
                    snapshot::Snapshot& snapshot) {
  const auto since = lane.busy_since();
  const bool is_stuck = since && now - *since >= kStuck;
  const bool has_run = collector.success || collector.errors > 0;
  if (!is_stuck && !has_run) return;
  auto& shown = snapshot.collectors.emplace_back(collector);
  if (!is_stuck) return;
  shown.success = false;
  shown.last_error = fmt::format("a read has not come back for {} s",
                                 std::chrono::duration_cast<std::chrono::seconds>(now - *since).count());
}

}  // namespace allocd::observer
