// SPDX-License-Identifier: Apache-2.0
#include "observer/progress_gate.hpp"

namespace allocd::observer {

ProgressGate::Verdict ProgressGate::judge(Clock::time_point now, Clock::duration interval,
                                          Clock::duration watchdog) {
  const auto since = now - progress_;
  const bool was_stalled = is_stalled_;
  is_stalled_ = since > interval + watchdog;
  Verdict verdict{.may_feed = !is_stalled_};
  if (is_stalled_ && !was_stalled) verdict.stalled_for = since;
  return verdict;
}

}  // namespace allocd::observer
