// SPDX-License-Identifier: Apache-2.0
#include "policy/fuse.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace allocd::policy {

namespace {

constexpr std::uint32_t kHealthTries = 3;

FuseMemory roll_back(FuseMemory memory, std::string why) {
  memory.phase = FusePhase::rolled_back;
  memory.why = std::move(why);
  return memory;
}

FuseMemory begin(const FuseView& view) {
  FuseMemory memory = arm_fuse(view);
  memory.phase = FusePhase::settling;
  return memory;
}

// Since systemd 254 there are "dead-before-auto-restart" and its like too.
bool is_between_restarts(const FuseView& view) {
  return view.sub_state.ends_with("auto-restart") || view.sub_state == "auto-restart-queued";
}

// Not while it is still stopping: of one that ended by itself, what systemd does next tells.
bool is_down(const FuseView& view) {
  const bool has_failed = view.active_state == "failed" && !is_between_restarts(view);
  return view.active_state == "inactive" || (has_failed && view.is_stopped);
}

// One that is active to systemd: started, and told so where its type tells.
bool is_up(const FuseView& view) {
  return view.active_state == "active" || view.active_state == "reloading" ||
         view.active_state == "refreshing";
}

double to_seconds(std::chrono::milliseconds time) {
  return std::chrono::duration<double>(time).count();
}

// Since when the unit has been up. A time to come is none: it is of another boot.
double find_up_since(const FuseMemory& memory, const FuseView& view, double now) {
  if (memory.up_since > 0 && memory.up_since <= now) return memory.up_since;
  return view.up_since > 0 && view.up_since <= now ? view.up_since : now;
}

FuseMemory note_health(FuseMemory memory, double settle, double now) {
  memory.asked_at = now;
  ++memory.unhealthy;
  if (memory.unhealthy < kHealthTries) return memory;
  return roll_back(std::move(memory),
                   fmt::format("the health URL did not answer within {:.0f} s of its start", settle));
}

FuseMemory watch_up(FuseMemory memory, const FuseView& view, const FuseLimits& limits, double now) {
  memory.up_since = find_up_since(memory, view, now);
  const double settle = to_seconds(limits.settle);
  if (now - memory.up_since < settle || view.health == Health::not_asked) return memory;
  if (view.health == Health::ill) return note_health(std::move(memory), settle, now);
  memory.phase = FusePhase::settled;
  return memory;
}

FuseMemory watch(FuseMemory memory, const FuseView& view, const FuseLimits& limits, double now) {
  const bool is_between = is_between_restarts(view);
  if (view.active_state == "failed" && !is_between && !view.is_stopped)
    return roll_back(memory, "its first start under the preload failed");
  if (view.restarts > memory.restarts || is_between) {
    return roll_back(memory, "it ended after its start under the preload, and systemd restarts it");
  }
  // Somebody started it again by hand: what counts is the start that is now.
  if (view.invocation != memory.invocation && !view.invocation.empty()) memory = begin(view);
  // Stopped by somebody, or done: the next start is the first that tells.
  if (is_down(view)) {
    memory.phase = FusePhase::waiting;
    memory.up_since = 0;
    memory.unhealthy = 0;
    return memory;
  }
  return is_up(view) ? watch_up(std::move(memory), view, limits, now) : memory;
}

}  // namespace

FuseMemory arm_fuse(const FuseView& view) {
  FuseMemory memory;
  memory.invocation = view.invocation;
  memory.restarts = view.restarts;
  return memory;
}

FuseMemory begin_fuse(const FuseView& view) {
  return begin(view);
}

bool wants_health(const FuseMemory& memory, const FuseView& view, const FuseLimits& limits, double now) {
  constexpr double kLongestGrace = 30;
  const bool is_watched = memory.phase == FusePhase::settling && memory.invocation == view.invocation;
  if (!is_watched || !is_up(view)) return false;
  const double settle = to_seconds(limits.settle);
  if (now - find_up_since(memory, view, now) < settle) return false;
  const double pause = std::min(kLongestGrace, settle / 4) / (kHealthTries - 1);
  return memory.unhealthy == 0 || memory.asked_at > now || now - memory.asked_at >= pause;
}

FuseMemory decide_fuse(const FuseMemory& memory, const FuseView& view, const FuseLimits& limits, double now) {
  // A unit systemd does not know, or has no answer for, says nothing about the preload.
  if (view.load_state != "loaded") return memory;
  if (memory.phase == FusePhase::settling) return watch(memory, view, limits, now);
  if (memory.phase != FusePhase::waiting) return memory;
  if (view.invocation.empty() || view.invocation == memory.invocation) return memory;
  // One automatic restart is how the process before ours ended; a second one is ours that did.
  if (view.restarts > memory.restarts + 1)  // the journal of the start that is now tells why
    return roll_back(begin(view), "it keeps ending after its start under the preload");
  return watch(begin(view), view, limits, now);
}

}  // namespace allocd::policy
