// SPDX-License-Identifier: Apache-2.0
// The fuse: whether a unit that starts under our drop-in for the first time lives, and when it did not.
//
// It watches a unit from the moment systemd has loaded the drop-in until it has been up for `settle`, whoever
// started it: allocd, an operator or systemd itself. What somebody stops is no death. Pure: what was
// remembered and what systemd says now give what to remember next. InvocationID and NRestarts are those of
// org.freedesktop.systemd1(5): the first is new with each start, the second grows with each automatic restart
// and is reset by a manual start. Times are seconds of CLOCK_MONOTONIC: a clock that is set settles nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/closed_enum.hpp"

namespace allocd::policy {

enum class FusePhase {
  waiting,     // loaded, not started under it yet
  settling,    // started under it, not up for long enough yet
  settled,     // up for `settle`; watched no more
  rolled_back  // it did not live: the drop-in goes
};
inline constexpr base::EnumNames<FusePhase, 4> kFusePhaseNames{
    {"waiting", "settling", "settled", "rolled_back"}};

// What is remembered of a unit between two looks.
struct FuseMemory {
  FusePhase phase = FusePhase::waiting;
  std::string invocation;       // waiting: the one before our drop-in; settling: the one we watch
  std::uint32_t restarts = 0;   // NRestarts when that was noted
  double up_since = 0;          // settling: 0 while it is not up yet
  std::uint32_t unhealthy = 0;  // how often in a row the health URL did not answer at the end
  double asked_at = 0;          // when it last was
  std::string why;              // rolled_back: one sentence
  bool operator==(const FuseMemory&) const = default;
};

enum class Health { none, not_asked, well, ill };

// What systemd says now.
struct FuseView {
  std::string load_state;
  std::string active_state;
  std::string sub_state;
  std::string invocation;
  std::uint32_t restarts = 0;
  double up_since = 0;           // when it last became active; 0: not known
  bool is_stopped = false;       // it is down because somebody stopped it
  Health health = Health::none;  // none: there is no health URL
};

struct FuseLimits {
  std::chrono::milliseconds settle{0};
};

// `now`: seconds of CLOCK_MONOTONIC.
[[nodiscard]] FuseMemory decide_fuse(const FuseMemory& memory, const FuseView& view, const FuseLimits& limits,
                                     double now);

// Whether the health URL is to be asked now: the time is over, and the last answer is not too fresh. A
// service is ill when it has not answered three times over half a minute, or a quarter of `settle` where that
// is less.
[[nodiscard]] bool wants_health(const FuseMemory& memory, const FuseView& view, const FuseLimits& limits,
                                double now);

// What to remember of a unit whose drop-in systemd has just loaded.
[[nodiscard]] FuseMemory arm_fuse(const FuseView& view);
// What to remember of one that has started under it already.
[[nodiscard]] FuseMemory begin_fuse(const FuseView& view);

}  // namespace allocd::policy
