// SPDX-License-Identifier: Apache-2.0
#include "observer/side_lane.hpp"

#include <poll.h>

#include <atomic>
#include <memory>
#include <thread>

#include "support/catch.hpp"
#include "support/child_program.hpp"

using namespace allocd;
using observer::SideCost;
using observer::SideEvent;
using observer::SideLane;

namespace {

std::shared_ptr<SideEvent> make_event() {
  auto event = SideEvent::make();
  REQUIRE(event);
  return *event;
}

bool is_raised(const SideEvent& event, int wait_ms = 0) {
  pollfd wanted{event.fd(), POLLIN, 0};
  return ::poll(&wanted, 1, wait_ms) == 1;
}

constexpr int kPatienceMs = 10'000;

// A job that waits to be released.
struct Gate {
  std::shared_ptr<std::atomic<bool>> open = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::atomic<bool>> saw_unwanted = std::make_shared<std::atomic<bool>>(false);
  ~Gate() { *open = true; }
  [[nodiscard]] SideLane::Job job(int& result) const {
    return [gate_open = open, seen = saw_unwanted, &result](const SideLane::StillWanted& still_wanted) {
      while (!*gate_open) {
        if (!still_wanted()) *seen = true;
        std::this_thread::yield();
      }
      return [&result](const SideCost&) { ++result; };
    };
  }
};

}  // namespace

TEST_CASE("side lane: a job's result is handed over on the loop, with what it cost") {
  const auto event = make_event();
  SideLane lane(event);
  std::thread::id ran_on;
  std::thread::id done_on;
  double seconds = -1;
  bool was_wanted = false;
  CHECK_FALSE(lane.collect());
  REQUIRE(lane.start([&](const SideLane::StillWanted& still_wanted) {
    ran_on = std::this_thread::get_id();
    was_wanted = still_wanted();  // Catch's macros are for one thread
    return [&](const SideCost& cost) {
      done_on = std::this_thread::get_id();
      seconds = cost.seconds;
      CHECK(cost.cpu >= 0);
    };
  }));
  REQUIRE(is_raised(*event, kPatienceMs));
  event->clear();
  CHECK_FALSE(is_raised(*event));
  CHECK(lane.collect());
  CHECK(done_on == std::this_thread::get_id());
  CHECK(ran_on != done_on);
  CHECK(was_wanted);
  CHECK(seconds >= 0);
  CHECK_FALSE(lane.busy_since());
  CHECK_FALSE(lane.collect());
}

TEST_CASE("side lane: one job at a time, and a stuck one keeps no other lane from going on") {
  const auto event = make_event();
  SideLane stuck(event);
  SideLane other(event);
  int results = 0;
  const Gate gate;
  REQUIRE(stuck.start(gate.job(results)));
  CHECK(stuck.busy_since());
  CHECK_FALSE(stuck.start(gate.job(results)));
  int others = 0;
  for (int i = 1; i <= 3; ++i) {
    REQUIRE(other.start([&](const SideLane::StillWanted&) { return [&](const SideCost&) { ++others; }; }));
    REQUIRE(test::eventually([&] { return other.collect(); }));
    CHECK(others == i);
  }
  CHECK_FALSE(stuck.collect());
  *gate.open = true;
  REQUIRE(test::eventually([&] { return stuck.collect(); }));
  CHECK(results == 1);
  CHECK(stuck.start(gate.job(results)));
  REQUIRE(test::eventually([&] { return stuck.collect(); }));
}

TEST_CASE("side lane: a job that outlives its lane is told, and its result goes nowhere") {
  const auto event = make_event();
  int results = 0;
  const Gate gate;
  {
    SideLane lane(event);
    REQUIRE(lane.start(gate.job(results)));
  }
  REQUIRE(test::eventually([&] { return gate.saw_unwanted->load(); }));
  *gate.open = true;
  REQUIRE(is_raised(*event, kPatienceMs));
  CHECK(results == 0);
}

TEST_CASE("side lane: what a job owns is let go before its end is told") {
  const auto event = make_event();
  SideLane lane(event);
  const auto owned = std::make_shared<int>(1);
  REQUIRE(lane.start([owned](const SideLane::StillWanted&) { return [](const SideCost&) {}; }));
  REQUIRE(test::eventually([&] { return lane.collect(); }));
  CHECK(owned.use_count() == 1);
}
