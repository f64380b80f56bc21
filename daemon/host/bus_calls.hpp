// SPDX-License-Identifier: Apache-2.0
// Asynchronous method calls on one bus: bounded in number, each with a deadline.
//
// At most `max_in_flight` calls wait for an answer; the others queue in order. Every call is reported to its
// handler exactly once, unless it is dropped by `drop_all` or `detach`, which report nothing. A handler may
// make further calls or drop them all. Single-threaded, on the loop.
#pragma once

#include <systemd/sd-bus.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <string>

#include "host/bus_handles.hpp"

namespace allocd::host {

struct BusCall {
  std::string destination;
  std::string path;
  std::string interface;
  std::string member;
  std::function<int(sd_bus_message*)> append;  // adds the arguments; may be empty
};

enum class CallOutcome {
  answered,
  refused,    // an error reply, or the call could not be sent
  timed_out,  // the deadline passed; an answer that comes later is thrown away
};

struct CallReply {
  CallOutcome outcome = CallOutcome::refused;
  sd_bus_message* message = nullptr;  // only when answered; borrowed
  std::string error_name;             // D-Bus error name, "" when answered
  std::string error;                  // one line for people, "" when answered
};

class BusCalls {
 public:
  using OnReply = std::function<void(const CallReply&)>;

  BusCalls(std::chrono::milliseconds deadline, std::size_t max_in_flight)
      : deadline_(deadline), max_in_flight_(max_in_flight) {}
  BusCalls(const BusCalls&) = delete;
  BusCalls& operator=(const BusCalls&) = delete;

  void attach(sd_bus* bus) { bus_ = bus; }
  void detach();
  void drop_all();
  // Nothing is called and nothing is queued while no bus is attached.
  void call(BusCall call, OnReply on_reply);
  [[nodiscard]] bool idle() const { return flights_.empty() && queue_.empty(); }

 private:
  struct Flight {
    BusCalls* owner;
    BusCall call;
    OnReply on_reply;
    std::chrono::steady_clock::time_point sent{};
    SlotHandle slot{};
    std::list<Flight>::iterator self{};
  };

  void send_queued();
  [[nodiscard]] int send(Flight& flight);
  void finish(Flight& flight, const CallReply& reply);
  static int on_message(sd_bus_message* message, void* flight, sd_bus_error* error) noexcept;

  std::chrono::milliseconds deadline_;
  std::size_t max_in_flight_;
  sd_bus* bus_ = nullptr;
  std::list<Flight> flights_;
  std::list<Flight> queue_;
};

}  // namespace allocd::host
