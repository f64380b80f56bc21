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
  return [gate](const allocator::ProcessHandle& process, observer::Want, const allocator::KeepGoing&) {
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

}  // namespace

TEST_CASE("pool: every process asked for is read once") {
  EvidencePool pool(read_with(std::make_shared<Gate>()), hours(1));
  constexpr int kCount = 200;
  for (pid_t pid = 1; pid <= kCount; ++pid)
    REQUIRE(pool.submit({pid, 7}, any_directory(), observer::Want::evidence));
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
  REQUIRE(pool.submit({kStuckFrom, 1}, any_directory(), observer::Want::evidence));
  REQUIRE(test::eventually([&] { return gate->waiting() == 1; }));
  for (pid_t pid = 1; pid <= 5; ++pid)
    REQUIRE(pool.submit({pid, 1}, any_directory(), observer::Want::evidence));
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
  CHECK_FALSE(pool.submit({kStuckFrom, 1}, any_directory(), observer::Want::evidence));
  gate->open();
  REQUIRE(test::eventually([&] { return pool.counts().stuck == 0; }));
  CHECK(pool.submit({kStuckFrom, 1}, any_directory(), observer::Want::evidence));
  CHECK(collect(pool, 1)[0].reading.identification->outcome == allocator::Outcome::ok);
}

TEST_CASE("pool: stuck reads never take more than their share of threads, and none is lost") {
  const auto gate = std::make_shared<Gate>();
  EvidencePool pool(read_with(gate), milliseconds(1));
  constexpr int kMore = 4;
  const auto limit = static_cast<int>(EvidencePool::kMaxThreads);
  for (pid_t pid = 0; pid < limit + kMore; ++pid)
    REQUIRE(pool.submit({kStuckFrom + pid, 1}, any_directory(), observer::Want::evidence));
  for (int stuck = 1; stuck <= limit; ++stuck) {
    REQUIRE(test::eventually([&] { return gate->waiting() == stuck; }));
    pool.expire(Clock::now() + hours(1));
  }
  CHECK(gate->waiting() == limit);
  CHECK(collect(pool, EvidencePool::kMaxThreads).size() == EvidencePool::kMaxThreads);
  CHECK(pool.counts().waiting == kMore);
  gate->open();
  REQUIRE(test::eventually([&] {
    pool.expire(Clock::now() - hours(1));
    return pool.counts().reads == kMore && pool.counts().stuck == 0;
  }));
}

TEST_CASE("pool: the next deadline is that of the read in progress, and there is none when idle") {
  const auto gate = std::make_shared<Gate>();
  EvidencePool pool(read_with(gate), hours(1));
  CHECK_FALSE(pool.next_deadline());
  const auto before = Clock::now();
  REQUIRE(pool.submit({kStuckFrom, 1}, any_directory(), observer::Want::evidence));
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
    REQUIRE(pool.submit({kStuckFrom, 1}, any_directory(), observer::Want::evidence));
    REQUIRE(test::eventually([&] { return gate->waiting() == 1; }));
  }
  gate->open();
  CHECK(test::eventually([&] { return gate->waiting() == 0; }));
}

TEST_CASE("pool: keep_going turns false at the deadline") {
  std::atomic<bool> stopped = false;
  EvidencePool pool(
      [&](const allocator::ProcessHandle&, observer::Want, const allocator::KeepGoing& keep_going) {
        while (keep_going()) std::this_thread::yield();
        stopped = true;
        allocator::Identification late;
        late.outcome = allocator::Outcome::given_up;
        return observer::Reading{std::nullopt, late};
      },
      milliseconds(20));
  REQUIRE(pool.submit({1, 1}, any_directory(), observer::Want::evidence));
  CHECK(collect(pool, 1)[0].reading.identification->outcome == allocator::Outcome::given_up);
  CHECK(stopped);
}
