// SPDX-License-Identifier: Apache-2.0
#include "host/bus_calls.hpp"

#include <cerrno>
#include <cstdint>
#include <iterator>
#include <utility>

#include "base/result.hpp"

namespace allocd::host {

void BusCalls::detach() {
  bus_ = nullptr;
  drop_all();
}

void BusCalls::drop_all() {
  queue_.clear();
  flights_.clear();
}

void BusCalls::call(BusCall call, OnReply on_reply) {
  if (bus_ == nullptr) return;
  queue_.push_back({.owner = this, .call = std::move(call), .on_reply = std::move(on_reply)});
  send_queued();
}

void BusCalls::send_queued() {
  while (!queue_.empty() && flights_.size() < max_in_flight_) {
    flights_.splice(flights_.end(), queue_, queue_.begin());
    Flight& flight = flights_.back();
    flight.self = std::prev(flights_.end());
    if (const int result = send(flight); result < 0) {
      finish(flight,
             {.outcome = CallOutcome::refused,
              .error = base::fault_from_errno("call", flight.call.member, -result).error().message()});
    }
  }
}

int BusCalls::send(Flight& flight) {
  const BusCall& call = flight.call;
  sd_bus_message* raw = nullptr;
  int result = sd_bus_message_new_method_call(bus_, &raw, call.destination.c_str(), call.path.c_str(),
                                              call.interface.c_str(), call.member.c_str());
  if (result < 0) return result;
  const MessageHandle message(raw);
  if (call.append) result = call.append(raw);
  // Nothing we ask may start a service.
  if (result >= 0) result = sd_bus_message_set_auto_start(raw, 0);
  if (result < 0) return result;
  sd_bus_slot* slot = nullptr;
  const auto usec = static_cast<std::uint64_t>(std::chrono::microseconds(deadline_).count());
  result = sd_bus_call_async(bus_, &slot, raw, &BusCalls::on_message, &flight, usec);
  if (result < 0) return result;
  flight.slot.reset(slot);
  flight.sent = std::chrono::steady_clock::now();
  return 0;
}

// `flight` leaves the list before its handler runs, so the handler sees how busy we are without it.
void BusCalls::finish(Flight& flight, const CallReply& reply) {
  std::list<Flight> done;
  done.splice(done.end(), flights_, flight.self);
  flight.on_reply(reply);
}

int BusCalls::on_message(sd_bus_message* message, void* userdata, sd_bus_error* /*error*/) noexcept {
  auto& flight = *static_cast<Flight*>(userdata);
  BusCalls& owner = *flight.owner;
  CallReply reply{.outcome = CallOutcome::answered, .message = message};
  if (const sd_bus_error* error = sd_bus_message_get_error(message); error != nullptr) {
    // sd-bus and the bus daemon report a deadline and a vanished peer by the same errors; time tells.
    const bool late = std::chrono::steady_clock::now() - flight.sent >= owner.deadline_;
    reply.outcome =
        late && sd_bus_error_get_errno(error) == ETIMEDOUT ? CallOutcome::timed_out : CallOutcome::refused;
    reply.message = nullptr;
    reply.error_name = error->name;
    reply.error = base::fault("call", flight.call.member + " on " + flight.call.path,
                              error->message != nullptr ? error->message : error->name)
                      .error()
                      .message();
  }
  owner.finish(flight, reply);
  owner.send_queued();
  return 0;
}

}  // namespace allocd::host
