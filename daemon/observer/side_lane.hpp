// SPDX-License-Identifier: Apache-2.0
// Work for a thread of its own, one job at a time: what may take long or never come back, and is of no
// process's evidence.
//
// A job runs on a thread that is made for it and left to itself: one inside the kernel, waiting for a dead
// file server or a held memory lock, cannot be ended or joined. Its lane is then busy until it comes back;
// other lanes go on. A job owns all it uses, for it may outlive everybody. It returns what is to be done with
// its result, which happens on the loop, in collect(), and never once the lane is gone.
//
// start() and collect() are for the loop's thread; the event says when collect() has something.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "observer/evidence_pool.hpp"

namespace allocd::observer {

// An eventfd that several lanes share. Safe from any thread.
class SideEvent {
 public:
  [[nodiscard]] static base::Result<std::shared_ptr<SideEvent>> make();
  explicit SideEvent(base::UniqueFd fd) : fd_(std::move(fd)) {}
  [[nodiscard]] int fd() const { return fd_.get(); }
  void raise() const;
  void clear() const;

 private:
  base::UniqueFd fd_;
};

// What a job took: time on the clock, and of a processor.
struct SideCost {
  double seconds = 0;
  double cpu = 0;
};

class SideLane {
 public:
  using StillWanted = std::function<bool()>;  // false when the lane has gone; for long jobs to ask
  using Done = std::function<void(const SideCost&)>;
  using Job = std::function<Done(const StillWanted&)>;

  explicit SideLane(std::shared_ptr<SideEvent> event);
  ~SideLane();
  SideLane(const SideLane&) = delete;
  SideLane& operator=(const SideLane&) = delete;

  // False when a job is still running, or no thread is to be had.
  [[nodiscard]] bool start(Job job);
  // Since when one is running.
  [[nodiscard]] std::optional<Clock::time_point> busy_since() const;
  // Hands over the result of a job that has finished. True when there was one.
  bool collect();

 private:
  struct Shared;
  std::shared_ptr<SideEvent> event_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace allocd::observer
