// SPDX-License-Identifier: Apache-2.0
// Costly reads of a living child, by a reader that answers, fails or hangs as told. Time is made up.
#include "observer/costly_watch.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "host/root.hpp"
#include "support/catch.hpp"
#include "support/child_program.hpp"

using namespace allocd;
using kernel::CostlyFailure;
using kernel::CostlyKind;
using kernel::SmapsKey;
using observer::Clock;
using observer::CostlyFigures;
using observer::CostlyTarget;
using observer::CostlyWatch;
using snapshot::CostlyState;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kGibibyte = std::uint64_t{1} << 30U;
constexpr std::uint64_t kPage = 4096;

// What the reader does; shared with its thread.
struct Script {
  std::atomic<int> reads{0};
  std::atomic<bool> hangs{false};
  std::atomic<bool> fails{false};
  std::atomic<CostlyFailure> failure{CostlyFailure::not_permitted};
};

std::shared_ptr<observer::SideEvent> make_event() {
  auto event = observer::SideEvent::make();
  REQUIRE(event);
  return *event;
}

class Watched {
 public:
  Watched() : child({"/bin/sleep", "100"}, {}), watch(make_event(), now, reader()) {
    REQUIRE(test::eventually([&] {
      const auto comm = host::read_file_at(child.directory(), "comm");
      return comm && *comm == "sleep\n";
    }));
    pace.costly_longest = 10s;
    watch.configure(pace, now);
    const auto text = host::read_file_at(child.directory(), "stat");
    const auto stat = kernel::parse_process_stat(*text);
    target = {"a.service", CostlyKind::smaps_rollup, {child.pid(), stat->start_ticks}, stat->image,
              kPage,       child.directory()};
  }
  ~Watched() { script->hangs = false; }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  void step(Clock::duration later = 1h) {
    now += later;
    watch.watch({target}, now);
    static_cast<void>(watch.go_on(now));
  }
  // A step, and the read that it begins.
  void read_once() {
    const int before = script->reads;
    step();
    REQUIRE(test::eventually([&] { return script->reads > before; }));
    REQUIRE(test::eventually([&] { return watch.collect(); }));
  }
  [[nodiscard]] snapshot::Snapshot show() const {
    snapshot::Snapshot snapshot;
    auto& unit = snapshot.units.emplace_back();
    unit.name = "a.service";
    auto& process = unit.processes.emplace_back();
    process.pid = target.id.pid;
    process.start_ticks = target.id.start_ticks;
    watch.fill(snapshot, now);
    return snapshot;
  }
  [[nodiscard]] CostlyState state() const {
    const auto shown = show();
    REQUIRE(shown.units[0].costly.size() == 1);
    REQUIRE(shown.units[0].costly[0].states.size() == 1);
    return shown.units[0].costly[0].states.begin()->first;
  }

  std::shared_ptr<Script> script = std::make_shared<Script>();
  test::ChildProgram child;
  Clock::time_point now = Clock::now();
  settings::Observe pace;
  CostlyWatch watch;
  CostlyTarget target;

 private:
  [[nodiscard]] CostlyWatch::Read reader() const {
    return [script = script](CostlyKind, int,
                             const kernel::KeepGoing&) -> std::expected<CostlyFigures, CostlyFailure> {
      ++script->reads;
      while (script->hangs) std::this_thread::yield();
      if (script->fails) return std::unexpected(script->failure.load());
      CostlyFigures figures;
      figures.smaps[SmapsKey::Pss] = 3 * kPage;
      figures.smaps[SmapsKey::AnonHugePages] = 0;
      figures.nodes[1][kernel::PageKind::anon] = kPage;
      return figures;
    };
  }
};

}  // namespace

TEST_CASE("costly reads: nothing is read, and nothing shown, where nothing asks for it") {
  Watched watched;
  watched.watch.watch({}, watched.now);
  CHECK(watched.watch.go_on(watched.now + 24h) == Clock::time_point::max());
  const auto shown = watched.show();
  CHECK(shown.collectors.empty());
  CHECK(shown.units[0].costly.empty());
  CHECK(watched.script->reads == 0);
}

TEST_CASE("costly reads: figures with their age and cost, of the process and of the unit") {
  Watched watched;
  watched.step(0s);
  CHECK(watched.state() == CostlyState::waiting);
  watched.read_once();
  const auto shown = watched.show();
  const auto& sum = shown.units[0].costly.at(0);
  CHECK(sum.states.at(CostlyState::read) == 1);
  CHECK(sum.processes == 1);
  CHECK(sum.oldest_read_at > 0);
  CHECK(sum.reads >= 1);
  CHECK(sum.last_seconds > 0);
  CHECK(sum.seconds_total >= sum.last_seconds);
  CHECK(sum.smaps[SmapsKey::Pss] == 3 * kPage);
  CHECK(sum.smaps[SmapsKey::AnonHugePages] == 0U);
  CHECK_FALSE(sum.smaps[SmapsKey::Locked]);
  CHECK(sum.nodes.at(1)[kernel::PageKind::anon] == kPage);
  REQUIRE(shown.units[0].processes[0].costly.size() == 1);
  CHECK(shown.units[0].processes[0].costly[0].smaps == sum.smaps);
  REQUIRE(shown.collectors.size() == 1);
  CHECK(shown.collectors[0].name == "costly");
  CHECK(shown.collectors[0].success);
  CHECK(shown.own.costly_reads >= 1);
  CHECK(shown.own.costly_seconds > 0);
}

TEST_CASE("costly reads: a process that would take too long is not read") {
  Watched watched;
  watched.pace.costly_longest = 100ms;
  watched.watch.configure(watched.pace, watched.now);
  watched.target.resident = 20 * kGibibyte;
  watched.step();
  watched.step();
  CHECK(watched.script->reads == 0);
  CHECK(watched.state() == CostlyState::too_large);
  watched.target.resident = kPage;
  watched.read_once();
  CHECK(watched.show().units[0].costly[0].processes == 1);
}

TEST_CASE("costly reads: one that took too long is not repeated until the program is another") {
  Watched watched;
  watched.pace.costly_longest = 1ms;
  watched.watch.configure(watched.pace, watched.now);
  watched.script->hangs = true;
  watched.step();
  REQUIRE(test::eventually([&] { return watched.script->reads == 1; }));
  const auto begun = Clock::now();
  REQUIRE(test::eventually([&] { return Clock::now() - begun > 2ms; }));
  watched.script->hangs = false;
  REQUIRE(test::eventually([&] { return watched.watch.collect(); }));
  CHECK(watched.state() == CostlyState::slow);
  CHECK(watched.show().units[0].costly[0].processes == 1);  // what was read is shown all the same
  for (int i = 0; i < 3; ++i) watched.step(48h);
  CHECK(watched.script->reads == 1);
  watched.target.image.start_stack += 1;
  watched.step(48h);
  CHECK(watched.state() == CostlyState::waiting);
  CHECK(watched.show().units[0].processes[0].costly.empty());
}

TEST_CASE("costly reads: while one is stuck none starts, and the collector says so") {
  Watched watched;
  watched.script->hangs = true;
  watched.step();
  REQUIRE(test::eventually([&] { return watched.script->reads == 1; }));
  for (int i = 0; i < 3; ++i) watched.step(48h);
  CHECK(watched.script->reads == 1);
  const auto stuck = watched.show().collectors.at(0);
  CHECK_FALSE(stuck.success);
  CHECK(stuck.last_error.starts_with("a read has not come back for "));
  watched.script->hangs = false;
  REQUIRE(test::eventually([&] { return watched.watch.collect(); }));
  CHECK(watched.show().collectors.at(0).success);
}

TEST_CASE("costly reads: a failure is shown as what it is, never as 0") {
  const auto [failure, state, is_repeated] = GENERATE(table<CostlyFailure, CostlyState, bool>({
      {CostlyFailure::not_permitted, CostlyState::not_permitted, true},
      {CostlyFailure::unsupported, CostlyState::unsupported, false},
      {CostlyFailure::stopped, CostlyState::slow, false},
      {CostlyFailure::malformed, CostlyState::failed, true},
      {CostlyFailure::gone, CostlyState::waiting, true},
  }));
  Watched watched;
  watched.script->fails = true;
  watched.script->failure = failure;
  watched.read_once();
  CHECK(watched.state() == state);
  const auto shown = watched.show();
  CHECK(shown.units[0].costly[0].processes == 0);
  CHECK(shown.units[0].costly[0].oldest_read_at == 0);
  CHECK_FALSE(shown.units[0].costly[0].smaps[SmapsKey::Pss]);
  CHECK(shown.collectors[0].permission_errors == (failure == CostlyFailure::not_permitted ? 1 : 0));
  if (is_repeated) return watched.read_once();
  for (int i = 0; i < 3; ++i) watched.step(48h);
  CHECK(watched.script->reads == 1);
}

TEST_CASE("costly reads: what belongs to another image of the process is dropped") {
  Watched watched;
  watched.target.image.start_stack += 1;  // not what /proc says
  watched.step();
  REQUIRE(test::eventually([&] { return watched.watch.collect(); }));
  CHECK(watched.script->reads == 0);
  CHECK(watched.state() == CostlyState::waiting);
}

TEST_CASE("costly reads: a process that has ended is forgotten, what it cost is not") {
  Watched watched;
  watched.read_once();
  const auto reads = watched.show().own.costly_reads;
  watched.watch.watch({}, watched.now);
  CHECK(watched.show().units[0].costly.empty());
  CHECK(watched.show().own.costly_reads == reads);
}

TEST_CASE("costly reads: the kernel's own answer for a living process") {
  Watched watched;
  CostlyWatch real(make_event(), watched.now);
  real.configure(watched.pace, watched.now);
  real.watch({watched.target}, watched.now);
  // Nothing is saved up at the start; an hour later there is.
  static_cast<void>(real.go_on(watched.now + 1h));
  REQUIRE(test::eventually([&] { return real.collect(); }));
  snapshot::Snapshot snapshot;
  snapshot.units.emplace_back().name = "a.service";
  real.fill(snapshot, watched.now);
  const auto& sum = snapshot.units[0].costly.at(0);
  CHECK(sum.states.at(CostlyState::read) == 1);
  CHECK(sum.smaps[SmapsKey::Rss].value_or(0) > 0);
  CHECK(sum.smaps[SmapsKey::AnonHugePages].has_value());
}
