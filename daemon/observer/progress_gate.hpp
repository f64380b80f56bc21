// SPDX-License-Identifier: Apache-2.0
// Whether the watchdog of systemd may be fed: only while samples are being finished.
//
// A loop that turns and samples nothing is as useless as a dead one, and shows healthy; so a living loop
// alone does not feed. One sample is due every interval, and may be late by as much as the watchdog allows.
// Time is passed in. Single-threaded, on the loop.
#pragma once

#include <optional>

#include "observer/evidence_pool.hpp"

namespace allocd::observer {

class ProgressGate {
 public:
  // Until the first sample, starting counts as progress.
  explicit ProgressGate(Clock::time_point started) : progress_(started) {}

  void note_sample(Clock::time_point finished) { progress_ = finished; }

  struct Verdict {
    bool may_feed = false;
    // Since the last sample; only when feeding has just stopped: said once, not with every turn.
    std::optional<Clock::duration> stalled_for;
  };
  [[nodiscard]] Verdict judge(Clock::time_point now, Clock::duration interval, Clock::duration watchdog);

 private:
  Clock::time_point progress_;
  bool is_stalled_ = false;
};

}  // namespace allocd::observer
