// SPDX-License-Identifier: Apache-2.0
#include "host/event_timer.hpp"

#include <ctime>
#include <utility>

namespace allocd::host {

namespace {

// sd-event would coalesce by up to 250 ms, which is longer than our debounce.
constexpr std::uint64_t kAccuracyUsec = 5000;

}  // namespace

EventTimer::~EventTimer() {
  sd_event_source_disable_unref(source_);
}

int EventTimer::open(sd_event* loop, std::function<void()> fire) {
  fire_ = std::move(fire);
  const int result = sd_event_add_time_relative(loop, &source_, CLOCK_MONOTONIC, 0, kAccuracyUsec,
                                                &EventTimer::on_time, this);
  if (result < 0) return result;
  return sd_event_source_set_enabled(source_, SD_EVENT_OFF);
}

void EventTimer::arm(std::chrono::milliseconds delay) {
  const auto usec = static_cast<std::uint64_t>(std::chrono::microseconds(delay).count());
  armed_ = sd_event_source_set_time_relative(source_, usec) >= 0 &&
           sd_event_source_set_enabled(source_, SD_EVENT_ONESHOT) >= 0;
}

void EventTimer::arm_if_idle(std::chrono::milliseconds delay) {
  if (!armed_) arm(delay);
}

void EventTimer::disarm() {
  armed_ = false;
  sd_event_source_set_enabled(source_, SD_EVENT_OFF);
}

int EventTimer::on_time(sd_event_source* /*source*/, std::uint64_t /*now*/, void* self) noexcept {
  auto& timer = *static_cast<EventTimer*>(self);
  timer.armed_ = false;
  const auto fire = timer.fire_;  // a copy: the handler may destroy the timer
  fire();
  return 0;
}

}  // namespace allocd::host
