// SPDX-License-Identifier: Apache-2.0
#include "observer/progress_gate.hpp"

#include "support/catch.hpp"

using allocd::observer::Clock;
using allocd::observer::ProgressGate;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr seconds kInterval{10};
constexpr seconds kWatchdog{60};
constexpr Clock::time_point kStart{seconds(1000)};

bool may_feed(ProgressGate& gate, Clock::time_point now) {
  return gate.judge(now, kInterval, kWatchdog).may_feed;
}

}  // namespace

TEST_CASE("gate: the time to the first sample is as long as between any two") {
  ProgressGate gate(kStart);
  CHECK(may_feed(gate, kStart));
  CHECK(may_feed(gate, kStart + kInterval + kWatchdog));
  CHECK_FALSE(may_feed(gate, kStart + kInterval + kWatchdog + milliseconds(1)));
}

TEST_CASE("gate: it is fed for as long as samples are finished, however long that is") {
  ProgressGate gate(kStart);
  for (auto now = kStart; now < kStart + std::chrono::hours(1); now += kInterval) {
    gate.note_sample(now);
    CHECK(may_feed(gate, now + kInterval));
  }
}

TEST_CASE("gate: without a sample it is not fed again, however often the loop turns") {
  ProgressGate gate(kStart);
  gate.note_sample(kStart + seconds(30));
  const auto last = kStart + seconds(30) + kInterval + kWatchdog;
  CHECK(may_feed(gate, last));
  for (auto now = last + seconds(1); now < last + kWatchdog; now += kWatchdog / 3) {
    CHECK_FALSE(may_feed(gate, now));
  }
}

TEST_CASE("gate: a stall is told once, with its length, and a new one is told again") {
  ProgressGate gate(kStart);
  const auto stalled_at = kStart + kInterval + kWatchdog + seconds(5);
  CHECK_FALSE(gate.judge(stalled_at - seconds(6), kInterval, kWatchdog).stalled_for);
  CHECK(gate.judge(stalled_at, kInterval, kWatchdog).stalled_for == seconds(75));
  CHECK_FALSE(gate.judge(stalled_at + seconds(20), kInterval, kWatchdog).stalled_for);
  gate.note_sample(stalled_at + seconds(21));
  CHECK(may_feed(gate, stalled_at + seconds(22)));
  CHECK(gate.judge(stalled_at + seconds(200), kInterval, kWatchdog).stalled_for == seconds(179));
}

TEST_CASE("gate: a longer interval, as a reload may bring, makes room at once") {
  ProgressGate gate(kStart);
  const auto late = kStart + kInterval + kWatchdog + seconds(1);
  CHECK(gate.judge(late, seconds(600), kWatchdog).may_feed);
  CHECK_FALSE(may_feed(gate, late));
}
