// SPDX-License-Identifier: Apache-2.0
#include "observer/side_lane.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace allocd::observer {

namespace {

double thread_cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

}  // namespace

base::Result<std::shared_ptr<SideEvent>> SideEvent::make() {
  base::UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return base::fault_from_errno("create", "an eventfd", errno);
  return std::make_shared<SideEvent>(std::move(fd));
}

void SideEvent::raise() const {
  const std::uint64_t one = 1;
  // A full counter is already a wake-up.
  static_cast<void>(!::write(fd_.get(), &one, sizeof(one)));
}

void SideEvent::clear() const {
  std::uint64_t ignored = 0;
  static_cast<void>(!::read(fd_.get(), &ignored, sizeof(ignored)));
}

// Outlives the lane for as long as a job runs.
struct SideLane::Shared {
  std::atomic<bool> is_wanted{true};
  std::mutex mutex;
  std::optional<Clock::time_point> since;
  Done done;
  SideCost cost;
};

SideLane::SideLane(std::shared_ptr<SideEvent> event)
    : event_(std::move(event)), shared_(std::make_shared<Shared>()) {
}

SideLane::~SideLane() {
  shared_->is_wanted = false;
}

bool SideLane::start(Job job) {
  {
    const std::scoped_lock lock(shared_->mutex);
    if (shared_->since) return false;
    shared_->since = Clock::now();
  }
  auto run = [shared = shared_, event = event_, job = std::move(job)]() mutable {
    const auto begun = Clock::now();
    Done done = job([&shared] { return shared->is_wanted.load(); });
    if (!done) done = [](const SideCost&) {};
    job = nullptr;  // lets go of what it owns before its end is told
    const std::scoped_lock lock(shared->mutex);
    shared->cost = {std::chrono::duration<double>(Clock::now() - begun).count(), thread_cpu_seconds()};
    shared->done = std::move(done);
    event->raise();
  };
  try {
    std::thread(std::move(run)).detach();
    return true;
  } catch (const std::system_error&) {
    const std::scoped_lock lock(shared_->mutex);
    shared_->since.reset();
    return false;
  }
}

std::optional<Clock::time_point> SideLane::busy_since() const {
  const std::scoped_lock lock(shared_->mutex);
  return shared_->since;
}

bool SideLane::collect() {
  Done done;
  SideCost cost;
  {
    const std::scoped_lock lock(shared_->mutex);
    if (!shared_->done) return false;
    done = std::exchange(shared_->done, nullptr);
    cost = shared_->cost;
    shared_->since.reset();
  }
  done(cost);
  return true;
}

}  // namespace allocd::observer
