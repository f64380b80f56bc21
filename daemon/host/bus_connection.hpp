// SPDX-License-Identifier: Apache-2.0
// One connection to a message bus that comes back by itself.
//
// Connecting, authentication and Hello are asynchronous and share one deadline. After a loss or a failed
// attempt we try again, first after `reconnect_min`, then twice as long each time up to `reconnect_max`.
// A dead sd_bus is released from the loop, never from one of its own callbacks. Single-threaded.
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include <chrono>
#include <string>
#include <string_view>

#include "host/bus_handles.hpp"
#include "host/event_timer.hpp"
#include "host/unit_manager.hpp"

namespace allocd::host {

// Where sd_bus_open_system(3) would connect to; it cannot ask for the Connected signal, nor has it a
// deadline.
[[nodiscard]] std::string system_bus_address();

class BusListener {
 public:
  virtual ~BusListener() = default;
  // The bus has said Hello. `bus` is good until `bus_lost`.
  virtual void bus_connected(sd_bus* bus) = 0;
  // The connection ended, or an attempt at one failed. Slots on the bus must be released before returning.
  virtual void bus_lost(std::string_view why) = 0;
};

class BusConnection {
 public:
  // `options.address` "" is the system bus, as sd_bus_open_system(3) finds it.
  BusConnection(sd_event* loop, const BusOptions& options, BusListener& listener);

  // Starts the first attempt. Calls nobody before the loop runs. 0 or a negative errno value.
  [[nodiscard]] int start();

 private:
  void attempt();
  [[nodiscard]] int open();
  void give_up(std::string_view why);
  void on_timer();
  static int on_connected(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;
  static int on_disconnected(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;

  enum class Phase { waiting, connecting, connected };

  sd_event* loop_;
  std::string address_;
  std::chrono::milliseconds deadline_;
  std::chrono::milliseconds backoff_min_;
  std::chrono::milliseconds backoff_max_;
  std::chrono::milliseconds backoff_;
  BusListener& listener_;
  Phase phase_ = Phase::waiting;
  EventTimer timer_;  // the deadline while connecting, the back-off while waiting
  BusHandle bus_;
  SlotHandle connected_slot_;  // after bus_: released first
  SlotHandle disconnected_slot_;
};

}  // namespace allocd::host
