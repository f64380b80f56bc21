// SPDX-License-Identifier: Apache-2.0
#include "observer/evidence_pool.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

namespace allocd::observer {

namespace {

struct Job {
  std::string unit;
  ProcessId id;
  Want want = Want::evidence;
  pid_t pid = 0;
  base::UniqueFd directory;
};

// A read in progress. Shared by the thread that reads and the loop that may give it up.
struct Running {
  std::string unit;
  ProcessId id;
  Clock::time_point begun;
  Clock::time_point deadline;
  std::atomic<bool> given_up{false};
};

}  // namespace

allocator::Identification make_unit_is_stuck() {
  allocator::Identification refused;
  refused.outcome = allocator::Outcome::given_up;
  refused.evidence.detail = "not read: too many processes of its unit hold their memory lock";
  return refused;
}

// Outlives the pool for as long as a stuck thread holds it.
struct EvidencePool::Shared {
  Read read;
  base::UniqueFd event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

  std::mutex mutex;
  std::condition_variable work;
  bool stopping = false;
  std::chrono::milliseconds deadline{};
  std::deque<Job> queue;
  std::set<ProcessId> busy;  // queued, being read, or stuck
  std::list<std::shared_ptr<Running>> running;
  std::map<std::string, std::size_t> stuck;  // by unit; none is 0
  std::vector<EvidenceResult> results;
  std::size_t threads = 0;  // not counting stuck ones
  EvidenceCounts counts;

  void notify() const {
    const std::uint64_t one = 1;
    // A full counter is already a wake-up.
    static_cast<void>(!::write(event.get(), &one, sizeof(one)));
  }

  // Nothing when the pool is stopping.
  std::pair<Job, std::shared_ptr<Running>> take_job() {
    std::unique_lock lock(mutex);
    work.wait(lock, [&] { return stopping || !queue.empty(); });
    if (stopping) return {};
    Job job = std::move(queue.front());
    queue.pop_front();
    auto run = std::make_shared<Running>();
    run->unit = job.unit;
    run->id = job.id;
    run->begun = Clock::now();
    run->deadline = run->begun + deadline;
    running.push_back(run);
    return {std::move(job), run};
  }

  [[nodiscard]] bool is_unit_stuck(const std::string& unit) const {
    const auto found = stuck.find(unit);
    return found != stuck.end() && found->second >= kMaxStuckPerUnit;
  }

  // The queued jobs of a unit that has just met its limit: told, not left waiting.
  void refuse_queued(const std::string& unit) {
    std::erase_if(queue, [&](const Job& job) {
      if (job.unit != unit) return false;
      busy.erase(job.id);
      results.push_back({job.id, {std::nullopt, make_unit_is_stuck()}});
      return true;
    });
  }

  // A read has met its deadline: its thread is left to it.
  void give_up(Running& run) {
    run.given_up = true;
    ++counts.deadlines;
    ++counts.stuck;
    ++stuck[run.unit];
    --threads;
    allocator::Identification late;
    late.outcome = allocator::Outcome::given_up;
    late.evidence.detail = "not read within the deadline: its memory lock is held";
    results.push_back({run.id, {std::nullopt, std::move(late)}, true});
    if (is_unit_stuck(run.unit)) refuse_queued(run.unit);
    notify();
  }

  // False when the thread was replaced while it was stuck and is to end.
  bool finish(const std::shared_ptr<Running>& run, Reading reading) {
    const std::scoped_lock lock(mutex);
    counts.read_seconds += std::chrono::duration<double>(Clock::now() - run->begun).count();
    busy.erase(run->id);
    if (run->given_up) {
      --counts.stuck;
      if (--stuck[run->unit] == 0) stuck.erase(run->unit);
      return false;
    }
    running.remove(run);
    ++counts.reads;
    results.push_back({run->id, std::move(reading)});
    notify();
    return true;
  }

  void read_until_stopped() {
    for (;;) {
      const auto taken = take_job();
      const Job& job = taken.first;
      const std::shared_ptr<Running>& run = taken.second;
      if (!run) return;
      const auto keep_going = [&run] { return !run->given_up && Clock::now() < run->deadline; };
      auto reading = read({job.pid, job.directory.get()}, job.want, keep_going);
      if (!finish(run, std::move(reading))) return;
    }
  }
};

EvidencePool::EvidencePool(Read read, std::chrono::milliseconds deadline)
    : shared_(std::make_shared<Shared>()) {
  shared_->read = std::move(read);
  shared_->deadline = deadline;
}

EvidencePool::~EvidencePool() {
  const std::scoped_lock lock(shared_->mutex);
  shared_->stopping = true;
  for (const auto& run : shared_->running) run->given_up = true;
  shared_->work.notify_all();
}

void EvidencePool::set_deadline(std::chrono::milliseconds deadline) {
  const std::scoped_lock lock(shared_->mutex);
  shared_->deadline = deadline;
}

// Called with the mutex held. Detached: a thread inside an uninterruptible read cannot be joined.
void EvidencePool::add_thread() {
  if (shared_->threads + shared_->counts.stuck >= kMaxThreads) return;
  try {
    std::thread([shared = shared_] { shared->read_until_stopped(); }).detach();
    ++shared_->threads;
  } catch (const std::system_error&) {
    // No thread to be had now; the queue keeps, and the next submit or expire tries again.
  }
}

Submitted EvidencePool::submit(const std::string& unit, const ProcessId& id,
                               const allocator::ProcessHandle& process, Want want) {
  const std::scoped_lock lock(shared_->mutex);
  if (shared_->busy.contains(id)) return Submitted::busy;
  if (shared_->is_unit_stuck(unit)) return Submitted::unit_is_stuck;
  base::UniqueFd copy(::fcntl(process.directory, F_DUPFD_CLOEXEC, 0));
  if (shared_->queue.size() >= kMaxQueue || !copy) return Submitted::full;
  shared_->busy.insert(id);
  shared_->queue.push_back({unit, id, want, process.pid, std::move(copy)});
  if (shared_->threads == 0) add_thread();
  shared_->work.notify_one();
  return Submitted::accepted;
}

void EvidencePool::retain(std::span<const ProcessId> ids) {
  const std::scoped_lock lock(shared_->mutex);
  std::erase_if(shared_->queue, [&](const Job& job) {
    const bool is_gone = !std::ranges::binary_search(ids, job.id);
    if (is_gone) shared_->busy.erase(job.id);
    return is_gone;
  });
}

std::vector<EvidenceResult> EvidencePool::collect() {
  std::uint64_t ignored = 0;
  static_cast<void>(!::read(shared_->event.get(), &ignored, sizeof(ignored)));
  const std::scoped_lock lock(shared_->mutex);
  return std::exchange(shared_->results, {});
}

void EvidencePool::expire(Clock::time_point now) {
  const std::scoped_lock lock(shared_->mutex);
  for (auto at = shared_->running.begin(); at != shared_->running.end();) {
    const auto run = *at;
    if (now < run->deadline) {
      ++at;
      continue;
    }
    at = shared_->running.erase(at);
    shared_->give_up(*run);
  }
  if (shared_->threads == 0 && !shared_->queue.empty()) add_thread();
}

EvidenceCounts EvidencePool::counts() const {
  const std::scoped_lock lock(shared_->mutex);
  EvidenceCounts counts = shared_->counts;
  counts.exhausted = shared_->threads == 0 && counts.stuck >= kMaxThreads;
  counts.waiting = shared_->queue.size() + shared_->running.size() + shared_->results.size();
  return counts;
}

std::optional<Clock::time_point> EvidencePool::next_deadline() const {
  const std::scoped_lock lock(shared_->mutex);
  std::optional<Clock::time_point> next;
  for (const auto& run : shared_->running) {
    if (!next || run->deadline < *next) next = run->deadline;
  }
  return next;
}

int EvidencePool::event_fd() const {
  return shared_->event.get();
}

}  // namespace allocd::observer
