// SPDX-License-Identifier: Apache-2.0
#include "policy/fuse.hpp"

#include <fmt/format.h>

namespace allocd::policy {

namespace {

FuseMemory roll_back(FuseMemory memory, std::string why) {
  memory.phase = FusePhase::rolled_back;
  memory.why = std::move(why);
  return memory;
}

FuseMemory begin(const FuseView& view) {
  return {.phase = FusePhase::settling,
          .invocation = view.invocation,
          .restarts = view.restarts,
          .up_since = 0,
          .why = ""};
}

// Not while it is still stopping: of one that ended by itself, what systemd does next tells.
bool is_down(const FuseView& view) {
  return view.active_state == "inactive";
}

// Since systemd 254 there are "dead-before-auto-restart" and its like too.
bool is_between_restarts(const FuseView& view) {
  return view.sub_state.ends_with("auto-restart") || view.sub_state == "auto-restart-queued";
}

// One that is active to systemd: started, and told so where its type tells.
bool is_up(const FuseView& view) {
  return view.active_state == "active" || view.active_state == "reloading" ||
         view.active_state == "refreshing";
}

FuseMemory watch_up(FuseMemory memory, const FuseView& view, const FuseLimits& limits, double now) {
  if (memory.up_since == 0 || memory.up_since > now) memory.up_since = now;  // a clock set back starts anew
  const double settle = std::chrono::duration<double>(limits.settle).count();
  if (now - memory.up_since < settle) return memory;
  if (view.healthy == false)
    return roll_back(memory,
                     fmt::format("the health URL did not answer within {:.0f} s of its start", settle));
  memory.phase = FusePhase::settled;
  return memory;
}

FuseMemory watch(FuseMemory memory, const FuseView& view, const FuseLimits& limits, double now) {
  if (view.active_state == "failed" && !is_between_restarts(view))
    return roll_back(memory, "its first start under the preload failed");
  if (view.restarts > memory.restarts || is_between_restarts(view)) {
    return roll_back(memory, "it ended after its start under the preload, and systemd restarts it");
  }
  // Somebody started it again by hand: what counts is the start that is now.
  if (view.invocation != memory.invocation && !view.invocation.empty()) memory = begin(view);
  // Stopped by hand, or done: the next start is the first that tells.
  if (is_down(view)) {
    memory.phase = FusePhase::waiting;
    memory.up_since = 0;
    return memory;
  }
  return is_up(view) ? watch_up(std::move(memory), view, limits, now) : memory;
}

}  // namespace

FuseMemory arm_fuse(const FuseView& view) {
  return {.phase = FusePhase::waiting,
          .invocation = view.invocation,
          .restarts = view.restarts,
          .up_since = 0,
          .why = ""};
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
