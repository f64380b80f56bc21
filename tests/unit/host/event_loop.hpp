// SPDX-License-Identifier: Apache-2.0
// An sd-event loop for a test, run by hand until something is true or a bound is met.
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <functional>

namespace allocd::test {

// Far beyond what any step takes: a bound for a broken program, not an expectation.
inline constexpr std::chrono::seconds kPatience{30};

class EventLoop {
 public:
  EventLoop() { sd_event_new(&loop_); }
  ~EventLoop() { sd_event_unref(loop_); }
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  [[nodiscard]] sd_event* get() const { return loop_; }

  // Runs the loop until `done` says so; false when the bound was met first.
  [[nodiscard]] bool run_until(const std::function<bool()>& done,
                               std::chrono::milliseconds bound = kPatience) {
    const auto end = std::chrono::steady_clock::now() + bound;
    while (!done()) {
      if (std::chrono::steady_clock::now() >= end) return false;
      sd_event_run(loop_, 10'000);
    }
    return true;
  }

  // Runs the loop for a while, to see that something does not happen.
  void run_for(std::chrono::milliseconds span) {
    static_cast<void>(run_until([] { return false; }, span));
  }

 private:
  sd_event* loop_ = nullptr;
};

}  // namespace allocd::test
