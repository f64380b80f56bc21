// SPDX-License-Identifier: Apache-2.0
// Reads that walk a process's pages, where the settings ask for them: smaps_rollup and numa_maps.
//
// The kernel holds the process's memory lock while it walks, so each such read is the watched process's cost
// too. base::CostBudget says when: one at a time on a side lane, all together under 0.1 % of one core; while
// one is stuck none starts. A process so large that a read is expected to take longer than allowed is not
// read at all (too_large); one that took longer is not read again until it starts another program (slow).
// What was read is shown with its age and what it took. Single-threaded, on the loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/budget.hpp"
#include "kernel/costly.hpp"
#include "kernel/process_stat.hpp"
#include "observer/side_lane.hpp"
#include "settings/settings.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

// A process that is to be read.
struct CostlyTarget {
  std::string unit;
  kernel::CostlyKind kind = kernel::CostlyKind::smaps_rollup;
  ProcessId id;
  kernel::ImageKey image;
  std::uint64_t resident = 0;
  int directory = -1;  // open /proc/PID; good until the targets are given again
};

struct CostlyFigures {
  kernel::SmapsRollup smaps;
  snapshot::PageTable nodes;
};

class CostlyWatch {
 public:
  // Reads one file of the process behind `directory`; for tests.
  using Read = std::function<std::expected<CostlyFigures, kernel::CostlyFailure>(
      kernel::CostlyKind kind, int directory, const kernel::KeepGoing& keep_going)>;
  // `read` runs on the lane, and may still run when this is gone: it must own what it uses.
  CostlyWatch(std::shared_ptr<SideEvent> event, Clock::time_point now, Read read);
  CostlyWatch(std::shared_ptr<SideEvent> event, Clock::time_point now);

  void configure(const settings::Observe& pace, Clock::time_point now);
  // Those there are now, of all units that are to be read.
  void watch(const std::vector<CostlyTarget>& targets, Clock::time_point now);
  // Begins what is due. When to be called next.
  [[nodiscard]] Clock::time_point go_on(Clock::time_point now);
  bool collect() { return lane_.collect(); }
  // Also the collector "costly", where anything is to be read.
  void fill(snapshot::Snapshot& snapshot, Clock::time_point now) const;

 private:
  struct Entry {
    CostlyTarget target;
    snapshot::CostlyState state = snapshot::CostlyState::waiting;
    snapshot::ProcessCostly shown;  // read_at 0: no figures
    std::uint64_t resident_then = 0;
    std::uint64_t seen_in = 0;
  };
  struct Totals {
    double last_seconds = 0;
    double seconds = 0;
    std::uint64_t reads = 0;
  };
  struct Result {
    std::expected<CostlyFigures, kernel::CostlyFailure> figures;
    bool is_same_image = false;
  };
  void update(Entry& entry, const CostlyTarget& target);
  [[nodiscard]] std::chrono::nanoseconds expected_cost(const Entry& entry) const;
  [[nodiscard]] bool begin(const std::string& key);
  void take(const std::string& key, const CostlyTarget& target, const Result& result, const SideCost& cost);
  void take_figures(Entry& entry, const Result& result, double seconds);
  void add_sums(snapshot::Snapshot& snapshot) const;

  SideLane lane_;
  Read read_;
  base::CostBudget budget_;
  std::chrono::milliseconds longest_{100};
  std::map<std::string, Entry> entries_;
  std::map<std::pair<std::string, kernel::CostlyKind>, Totals> totals_;  // by unit
  std::uint64_t number_ = 0;
  snapshot::Collector collector_;
};

}  // namespace allocd::observer
