// SPDX-License-Identifier: Apache-2.0
// Which watched process is looked into when: between the trackers, which own the processes, and the pool,
// which reads them. Costs what is due, not what is watched. Single-threaded, on the loop.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "observer/evidence_pool.hpp"
#include "observer/unit_tracker.hpp"
#include "settings/settings.hpp"

namespace allocd::observer {

class EvidenceSchedule {
 public:
  explicit EvidenceSchedule(EvidencePool& pool) : pool_(pool) {}

  // The processes of a new sample, by unit name or cgroup path. They must stay where they are until the next
  // call.
  void watch(std::map<std::string, UnitTracker>& trackers);

  // Asks for what is due.
  void submit_due(Clock::time_point now, const settings::Observe& pace);
  // When something is due next; nothing when no process is watched.
  [[nodiscard]] std::optional<Clock::time_point> next_due() const;
  // Takes what the pool has found. True when something became known that was not.
  bool take_evidence();

  // Reads that met their deadline since the last call, for the journal: unit and pid.
  struct TimedOut {
    std::string unit;
    pid_t pid;
  };
  [[nodiscard]] std::vector<TimedOut> take_timed_out() { return std::exchange(timed_out_, {}); }
  // Whether the pool's queue was full since the last call.
  [[nodiscard]] bool take_refusal() { return std::exchange(pool_was_full_, false); }

 private:
  // By id; a process that belongs to two units is there twice.
  struct Watched {
    ProcessId id;
    TrackedProcess* process;
    const std::string* unit;
  };
  void ask(const Watched& watched, Clock::time_point now, const settings::Observe& pace);

  EvidencePool& pool_;
  std::vector<Watched> watched_;
  // When to look at which of them; the soonest on top.
  using Due = std::pair<Clock::time_point, std::size_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::vector<TimedOut> timed_out_;
  bool pool_was_full_ = false;
};

}  // namespace allocd::observer
