// SPDX-License-Identifier: Apache-2.0
#include "observer/evidence_pool.hpp"

#include <fcntl.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"
#include "support/child_program.hpp"

using namespace allocd;
using observer::Clock;
using observer::EvidencePool;
using observer::EvidenceResult;
using observer::ProcessId;
using observer::Submitted;
using observer::Want;
using std::chrono::hours;
using std::chrono::milliseconds;

namespace {

// Reads of one pid block until released, as a held memory lock does: they do not heed keep_going.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    open_condition_.wait(lock, [&] { return open_; });
    --waiting_;
  }
  void open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    open_condition_.notify_all();
  }
  [[nodiscard]] int waiting() {
    const std::scoped_lock lock(mutex_);
    return waiting_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable open_condition_;
  bool open_ = false;
  int waiting_ = 0;
};

constexpr pid_t kStuckFrom = 1000;  // pids from here on block

EvidencePool::Read read_with(const std::shared_ptr<Gate>& gate) {
  return [gate](const allocator::ProcessHandle& process, Want, const allocator::KeepGoing&) {
    if (process.pid >= kStuckFrom) gate->wait();
    allocator::Identification identification;
    identification.outcome = allocator::Outcome::ok;
    identification.evidence.detail = std::to_string(process.pid);
    return observer::Reading{std::nullopt, identification};
  };
}

// Collects until `count` results are there.
std::vector<EvidenceResult> collect(EvidencePool& pool, std::size_t count) {
  std::vector<EvidenceResult> all;
  test::eventually([&] {
    for (auto& result : pool.collect()) all.push_back(std::move(result));
    return all.size() >= count;
  });
  REQUIRE(all.size() == count);
  return all;
}

int any_directory() {
  static const base::UniqueFd directory(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory.get();
}

bool submit(EvidencePool& pool, const ProcessId& id, const std::string& unit = "a.service") {
  return pool.submit(unit, id, {id.pid, any_directory()}, Want::evidence) == Submitted::accepted;
}

// Lets `count` reads of `unit` get stuck, from the pid `first` on.
void let_stick(EvidencePool& pool, Gate& gate, const std::string& unit, pid_t first, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const int before = gate.waiting();
    REQUIRE(submit(pool, {first + static_cast<pid_t>(i), 1}, unit));
    REQUIRE(test::eventually([&] { return gate.waiting() == before + 1; }));
    pool.expire(Clock::now() + hours(1));
  }
}

std::string detail(const EvidenceResult& result) {
  return result.reading.identification->evidence.detail;
}

}  // namespace

TEST_CASE("pool: every process asked for is read once") {
  EvidencePool pool(read_with(std::make_shared<Gate>()), hours(1));
  constexpr int kCount = 200;
  for (pid_t pid = 1; pid <= kCount; ++pid) REQUIRE(submit(pool, {pid, 7}));
  std::set<pid_t> seen;
  for (const auto& result : collect(pool, kCount)) {
    CHECK(result.reading.identification->evidence.detail == std::to_string(result.id.pid));
    CHECK(result.id.start_ticks == 7);
    seen.insert(result.id.pid);
  }
  CHECK(seen.size() == kCount);
  CHECK(pool.counts().reads == kCount);
  CHECK(pool.counts().waiting == 0);
}

TEST_CASE("pool: a read that does not come back is given up, and the others go on") {
  const auto gate = std::make_shared<Gate>();
  EvidencePool pool(read_with(gate), milliseconds(1));
  REQUIRE(submit(pool, {kStuckFrom, 1}));
  REQUIRE(test::eventually([&] { return gate->waiting() == 1; }));
  for (pid_t pid = 1; pid <= 5; ++pid) REQUIRE(submit(pool, {pid, 1}));
  pool.expire(Clock::now() + hours(1));
  std::size_t given_up = 0;
  for (const auto& result : collect(pool, 6)) {
    if (result.reading.identification->outcome != allocator::Outcome::given_up) continue;
    ++given_up;
    CHECK(result.id.pid == kStuckFrom);
  }
  CHECK(given_up == 1);
  CHECK(pool.counts().deadlines == 1);
  CHECK(pool.counts().stuck == 1);
  // Not asked again while its read is out there; welcome again when it has come back.
  CHECK(pool.submit("a.service", {kStuckFrom, 1}, {kStuckFrom, any_directory()}, Want::evidence) ==
        Submitted::busy);
  gate->open();
  REQUIRE(test::eventually([&] { return pool.counts().stuck == 0; }));
  CHECK(submit(pool, {kStuckFrom, 1}));
  CHECK(collect(pool, 1)[0].reading.identification->outcome == allocator::Outcome::ok);
}

TEST_CASE("pool: one unit's stuck processes do not keep another's from being read") {
  const auto gate = std::make_shared<Gate>();
  EvidencePool pool(read_with(gate), hours(1));
  constexpr auto kLimit = EvidencePool::kMaxStuckPerUnit;
  let_stick(pool, *gate, "stuck.service", kStuckFrom, kLimit - 1);
  CHECK(collect(pool, kLimit - 1).size() == kLimit - 1);
  // One more is being read, and more of the unit wait behind it, before and after a process of another unit.
  constexpr pid_t kLast = kStuckFrom + 100;
  REQUIRE(submit(pool, {kLast, 1}, "stuck.service"));
  REQUIRE(test::eventually([&] { return gate->waiting() == static_cast<int>(kLimit); }));
  REQUIRE(submit(pool, {kLast + 1, 1}, "stuck.service"));
  REQUIRE(submit(pool, {1, 1}, "good.service"));
  REQUIRE(submit(pool, {kLast + 2, 1}, "stuck.service"));
  pool.expire(Clock::now() + hours(1));
  std::set<pid_t> timed_out;
  std::set<pid_t> refused;
  for (const auto& result : collect(pool, 4)) {
    if (result.id.pid == 1) {
      CHECK(result.reading.identification->outcome == allocator::Outcome::ok);
    } else {
      CHECK(result.reading.identification->outcome == allocator::Outcome::given_up);
      (result.timed_out ? timed_out : refused).insert(result.id.pid);
    }
  }
  CHECK(timed_out == std::set<pid_t>{kLast});
  CHECK(refused == std::set<pid_t>{kLast + 1, kLast + 2});
  CHECK(pool.counts().stuck == kLimit);
  CHECK(pool.counts().waiting == 0);
  CHECK_FALSE(pool.counts().exhausted);
  CHECK(pool.submit("stuck.service", {2, 1}, {2, any_directory()}, Want::evidence) ==
        Submitted::unit_is_stuck);
  // The unit is welcome again once its reads have come back.
  gate->open();
  REQUIRE(test::eventually([&] { return pool.counts().stuck == 0; }));
  REQUIRE(submit(pool, {2, 1}, "stuck.service"));
  CHECK(detail(collect(pool, 1)[0]) == "2");
}

TEST_CASE("pool: stuck reads take no more threads than there may be; then it says so, and nothing is lost") {
  const auto gate = std::make_shared<Gate>();
  EvidencePool pool(read_with(gate), hours(1));
  constexpr auto kUnits = EvidencePool::kMaxThreads / EvidencePool::kMaxStuckPerUnit;
  for (std::size_t unit = 0; unit < kUnits; ++unit) {
    CHECK_FALSE(pool.counts().exhausted);
    const auto first = static_cast<pid_t>(kStuckFrom + unit * EvidencePool::kMaxStuckPerUnit);
    let_stick(pool, *gate, std::to_string(unit), first, EvidencePool::kMaxStuckPerUnit);
  }
  CHECK(pool.counts().exhausted);
  CHECK(collect(pool, EvidencePool::kMaxThreads).size() == EvidencePool::kMaxThreads);
  REQUIRE(submit(pool, {1, 1}));
  pool.expire(Clock::now() - hours(1));
  CHECK(pool.counts().waiting == 1);
  gate->open();
  REQUIRE(test::eventually([&] {
    pool.expire(Clock::now() - hours(1));
    return pool.counts().reads == 1 && pool.counts().stuck == 0;
  }));
  CHECK_FALSE(pool.counts().exhausted);
  CHECK(detail(collect(pool, 1)[0]) == "1");
}

TEST_CASE("pool: a queued process that has gone is not read, and its like may be asked for again") {
  const auto gate = std::make_shared<Gate>();
  EvidencePool pool(read_with(gate), hours(1));
  REQUIRE(submit(pool, {kStuckFrom, 1}));
  REQUIRE(test::eventually([&] { return gate->waiting() == 1; }));
  for (pid_t pid = 1; pid <= 3; ++pid) REQUIRE(submit(pool, {pid, 1}));
  CHECK(pool.counts().waiting == 4);
  // The one that is being read has gone too: its answer comes all the same.
  const std::vector<ProcessId> alive{{2, 1}, {3, 2}};
  pool.retain(alive);
  CHECK(pool.counts().waiting == 2);
  REQUIRE(submit(pool, {1, 1}));
  gate->open();
  std::set<pid_t> seen;
  for (const auto& result : collect(pool, 3)) seen.insert(result.id.pid);
  CHECK(seen == std::set<pid_t>{kStuckFrom, 2, 1});
}

TEST_CASE("pool: a process is read through the handle it was asked with") {
  EvidencePool pool(
      [](const allocator::ProcessHandle& process, Want, const allocator::KeepGoing&) {
        return observer::Reading{std::to_string(process.pid), std::nullopt};
      },
      hours(1));
  REQUIRE(pool.submit("a.service", {10, 1}, {11, any_directory()}, Want::title) == Submitted::accepted);
  const auto results = collect(pool, 1);
  CHECK(results[0].id == ProcessId{10, 1});
  CHECK(results[0].reading.command_line == "11");
}

TEST_CASE("pool: the next deadline is that of the read in progress, and there is none when idle") {
  const auto gate = std::make_shared<Gate>();
  EvidencePool pool(read_with(gate), hours(1));
  CHECK_FALSE(pool.next_deadline());
  const auto before = Clock::now();
  REQUIRE(submit(pool, {kStuckFrom, 1}));
  REQUIRE(test::eventually([&] { return gate->waiting() == 1; }));
  REQUIRE(pool.next_deadline());
  CHECK(*pool.next_deadline() >= before + hours(1));
  CHECK(*pool.next_deadline() <= Clock::now() + hours(1));
  gate->open();
  CHECK(test::eventually([&] { return !pool.next_deadline(); }));
}

TEST_CASE("pool: it can go while a read is stuck") {
  const auto gate = std::make_shared<Gate>();
  {
    EvidencePool pool(read_with(gate), hours(1));
    REQUIRE(submit(pool, {kStuckFrom, 1}));
    REQUIRE(test::eventually([&] { return gate->waiting() == 1; }));
  }
  gate->open();
  CHECK(test::eventually([&] { return gate->waiting() == 0; }));
}

TEST_CASE("pool: keep_going turns false at the deadline") {
  std::atomic<bool> stopped = false;
  EvidencePool pool(
      [&](const allocator::ProcessHandle&, Want, const allocator::KeepGoing& keep_going) {
        while (keep_going()) std::this_thread::yield();
        stopped = true;
        allocator::Identification late;
        late.outcome = allocator::Outcome::given_up;
        return observer::Reading{std::nullopt, late};
      },
      milliseconds(20));
  REQUIRE(submit(pool, {1, 1}));
  CHECK(collect(pool, 1)[0].reading.identification->outcome == allocator::Outcome::given_up);
  CHECK(stopped);
}
