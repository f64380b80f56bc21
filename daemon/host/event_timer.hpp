// SPDX-License-Identifier: Apache-2.0
// A one-shot timer on an sd-event loop (CLOCK_MONOTONIC) that owns its source.
//
// `open` once, then `arm` as often as needed; arming again moves it. The handler may arm the timer again
// or destroy it. Nothing runs after destruction. Single-threaded, on the loop.
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <cstdint>
#include <functional>

namespace allocd::host {

class EventTimer {
 public:
  EventTimer() = default;
  ~EventTimer();
  EventTimer(const EventTimer&) = delete;
  EventTimer& operator=(const EventTimer&) = delete;

  // 0 or a negative errno value (the first timer of a loop opens a timerfd).
  [[nodiscard]] int open(sd_event* loop, std::function<void()> fire);
  void arm(std::chrono::milliseconds delay);
  // Leaves an armed timer as it is.
  void arm_if_idle(std::chrono::milliseconds delay);
  void disarm();
  [[nodiscard]] bool armed() const { return armed_; }

 private:
  static int on_time(sd_event_source* source, std::uint64_t now, void* self) noexcept;

  sd_event_source* source_ = nullptr;
  std::function<void()> fire_;
  bool armed_ = false;
};

}  // namespace allocd::host
