// SPDX-License-Identifier: Apache-2.0
#include "policy/fuse.hpp"

#include "support/catch.hpp"

using namespace allocd::policy;
using namespace std::chrono_literals;

namespace {

constexpr FuseLimits kLimits{10s};

FuseView running(const char* invocation, unsigned restarts = 0) {
  return {.load_state = "loaded",
          .active_state = "active",
          .sub_state = "running",
          .invocation = invocation,
          .restarts = restarts,
          .up_since = 0,
          .is_stopped = false,
          .health = Health::none};
}

FuseView with(FuseView view, const char* active, const char* sub) {
  view.active_state = active;
  view.sub_state = sub;
  return view;
}

}  // namespace

TEST_CASE("fuse: a unit nobody restarts stays armed for ever") {
  const auto armed = arm_fuse(running("a"));
  CHECK(decide_fuse(armed, running("a"), kLimits, 1e9) == armed);
}

TEST_CASE("fuse: a start that lives for the settle time is settled, and watched no more") {
  auto memory = decide_fuse(arm_fuse(running("a")), running("b"), kLimits, 100);
  CHECK(memory.phase == FusePhase::settling);
  memory = decide_fuse(memory, running("b"), kLimits, 109.9);
  CHECK(memory.phase == FusePhase::settling);
  memory = decide_fuse(memory, running("b"), kLimits, 110);
  CHECK(memory.phase == FusePhase::settled);
  CHECK(decide_fuse(memory, with(running("c"), "failed", "failed"), kLimits, 200).phase ==
        FusePhase::settled);
}

TEST_CASE("fuse: time counts from when the unit is up, not from when it began to start") {
  const auto starting = with(running("b"), "activating", "start");
  auto memory = decide_fuse(arm_fuse(running("a")), starting, kLimits, 100);
  memory = decide_fuse(memory, starting, kLimits, 500);
  CHECK(memory.phase == FusePhase::settling);
  memory = decide_fuse(memory, running("b"), kLimits, 501);
  CHECK(memory.phase == FusePhase::settling);
  CHECK(decide_fuse(memory, running("b"), kLimits, 511).phase == FusePhase::settled);
}

TEST_CASE("fuse: it blows when the first start fails") {
  const auto failed = with(running("b"), "failed", "failed");
  CHECK(decide_fuse(arm_fuse(running("a")), failed, kLimits, 100).phase == FusePhase::rolled_back);
  const auto memory = decide_fuse(arm_fuse(running("a")), running("b"), kLimits, 100);
  CHECK(decide_fuse(memory, failed, kLimits, 101).phase == FusePhase::rolled_back);
}

TEST_CASE("fuse: it blows when systemd restarts what ended") {
  const auto memory = decide_fuse(arm_fuse(running("a")), running("b"), kLimits, 100);
  CHECK(decide_fuse(memory, running("c", 1), kLimits, 101).phase == FusePhase::rolled_back);
  const auto between = with(running("b"), "activating", "auto-restart");
  CHECK(decide_fuse(memory, between, kLimits, 101).phase == FusePhase::rolled_back);
}

TEST_CASE("fuse: a crash of the process before ours is no fault of ours") {
  const auto armed = arm_fuse(running("a", 4));
  CHECK(decide_fuse(armed, running("b", 5), kLimits, 100).phase == FusePhase::settling);
  CHECK(decide_fuse(armed, running("c", 6), kLimits, 100).phase == FusePhase::rolled_back);
}

TEST_CASE("fuse: a unit that had failed before is not held against us") {
  const auto failed = with(running("a"), "failed", "failed");
  CHECK(decide_fuse(arm_fuse(failed), failed, kLimits, 100).phase == FusePhase::waiting);
}

TEST_CASE("fuse: a stop by hand arms it again, a restart by hand starts the time anew") {
  const auto memory = decide_fuse(arm_fuse(running("a")), running("b"), kLimits, 100);
  const auto stopped = decide_fuse(memory, with(running("b"), "inactive", "dead"), kLimits, 105);
  CHECK(stopped.phase == FusePhase::waiting);
  CHECK(decide_fuse(stopped, running("c"), kLimits, 106).phase == FusePhase::settling);
  const auto again = decide_fuse(memory, running("c"), kLimits, 109);
  CHECK(again.up_since == 109);
  CHECK(decide_fuse(again, running("c"), kLimits, 111).phase == FusePhase::settling);
}

TEST_CASE("fuse: what an operator stops is no death, however it ends") {
  auto stopped = with(running("b"), "failed", "failed");
  stopped.is_stopped = true;
  const auto memory = decide_fuse(arm_fuse(running("a")), running("b"), kLimits, 100);
  CHECK(decide_fuse(memory, stopped, kLimits, 101).phase == FusePhase::waiting);
  CHECK(decide_fuse(arm_fuse(running("a")), stopped, kLimits, 101).phase == FusePhase::waiting);
  CHECK(decide_fuse(decide_fuse(memory, stopped, kLimits, 101), running("c"), kLimits, 102).phase ==
        FusePhase::settling);
}

TEST_CASE("fuse: the time that counts is systemd's, not that of the first look") {
  auto view = running("b");
  view.up_since = 95;
  const auto memory = decide_fuse(begin_fuse(view), view, kLimits, 100);
  CHECK(memory.up_since == 95);
  CHECK(decide_fuse(memory, view, kLimits, 105).phase == FusePhase::settled);
}

TEST_CASE("fuse: a health URL that does not answer three times in a row blows it") {
  auto view = running("b");
  view.health = Health::not_asked;
  auto memory = decide_fuse(arm_fuse(running("a")), view, kLimits, 100);
  CHECK_FALSE(wants_health(memory, view, kLimits, 109));
  CHECK(wants_health(memory, view, kLimits, 110));
  CHECK(decide_fuse(memory, view, kLimits, 110).phase == FusePhase::settling);
  view.health = Health::ill;
  memory = decide_fuse(memory, view, kLimits, 110);
  CHECK(memory.phase == FusePhase::settling);
  // A quarter of the time for three tries: two pauses of 1.25 s.
  CHECK_FALSE(wants_health(memory, view, kLimits, 111));
  CHECK(wants_health(memory, view, kLimits, 111.25));
  memory = decide_fuse(memory, view, kLimits, 111.25);
  CHECK(memory.phase == FusePhase::settling);
  auto well = view;
  well.health = Health::well;
  CHECK(decide_fuse(memory, well, kLimits, 112.5).phase == FusePhase::settled);
  CHECK(decide_fuse(memory, view, kLimits, 112.5).phase == FusePhase::rolled_back);
  // Another start begins anew, with its questions too.
  auto again = running("c");
  again.health = Health::ill;
  CHECK(decide_fuse(memory, again, kLimits, 113).unhealthy == 0);
}

TEST_CASE("fuse: a long settle time waits half a minute for an answer") {
  constexpr FuseLimits kLong{std::chrono::minutes(10)};
  auto view = running("b");
  view.health = Health::ill;
  auto memory = decide_fuse(decide_fuse(arm_fuse(running("a")), view, kLong, 100), view, kLong, 700);
  CHECK(memory.unhealthy == 1);
  CHECK_FALSE(wants_health(memory, view, kLong, 714));
  CHECK(wants_health(memory, view, kLong, 715));
}

TEST_CASE("fuse: a unit systemd has lost, and a clock set back, decide nothing") {
  const auto memory = decide_fuse(arm_fuse(running("a")), running("b"), kLimits, 100);
  auto lost = with(running(""), "inactive", "dead");
  lost.load_state = "not-found";
  CHECK(decide_fuse(memory, lost, kLimits, 500) == memory);
  CHECK(decide_fuse(memory, running("b"), kLimits, 50).up_since == 50);
}

TEST_CASE("fuse: a look while it is stopping does not hide that it ended by itself") {
  const auto memory = decide_fuse(arm_fuse(running("a")), running("b"), kLimits, 100);
  const auto stopping = decide_fuse(memory, with(running("b"), "deactivating", "stop-post"), kLimits, 105);
  CHECK(stopping == memory);
  CHECK(decide_fuse(stopping, running("c", 1), kLimits, 106).phase == FusePhase::rolled_back);
  CHECK(decide_fuse(stopping, with(running("b"), "inactive", "dead"), kLimits, 106).phase ==
        FusePhase::waiting);
}

TEST_CASE("fuse: newer systemd's ways to wait for an automatic restart are told apart from a stop") {
  const auto memory = decide_fuse(arm_fuse(running("a")), running("b"), kLimits, 100);
  const auto* const sub =
      GENERATE("dead-before-auto-restart", "failed-before-auto-restart", "auto-restart-queued");
  for (const auto* active : {"inactive", "failed", "activating"}) {
    const auto blown = decide_fuse(memory, with(running("b"), active, sub), kLimits, 101);
    CHECK(blown.phase == FusePhase::rolled_back);
    CHECK(blown.why.find("systemd restarts it") != std::string::npos);
  }
}

TEST_CASE("fuse: one that failed for good says so, however often systemd had tried") {
  const auto memory = decide_fuse(arm_fuse(running("a")), running("b"), kLimits, 100);
  const auto failed = decide_fuse(memory, with(running("c", 5), "failed", "failed"), kLimits, 101);
  CHECK(failed.why == "its first start under the preload failed");
}
