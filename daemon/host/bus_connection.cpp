// SPDX-License-Identifier: Apache-2.0
#include "host/bus_connection.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/result.hpp"

namespace allocd::host {

namespace {

constexpr const char* kLocal = "org.freedesktop.DBus.Local";

}  // namespace

std::string system_bus_address() {
  const char* configured = ::secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
  return configured != nullptr ? configured : "unix:path=/run/dbus/system_bus_socket";
}

BusConnection::BusConnection(sd_event* loop, const BusOptions& options, BusListener& listener)
    : loop_(loop),
      address_(options.address.empty() ? system_bus_address() : options.address),
      deadline_(options.call_deadline),
      backoff_min_(options.reconnect_min),
      backoff_max_(options.reconnect_max),
      backoff_(options.reconnect_min),
      listener_(listener) {
}

int BusConnection::start() {
  const int result = timer_.open(loop_, [this] { on_timer(); });
  if (result >= 0) timer_.arm(std::chrono::milliseconds(0));
  return result;
}

void BusConnection::attempt() {
  phase_ = Phase::connecting;
  timer_.arm(deadline_);
  if (const int result = open(); result < 0) {
    give_up(base::fault_from_errno("connect to", address_, -result).error().message());
  }
}

int BusConnection::open() {
  sd_bus* bus = nullptr;
  int result = sd_bus_new(&bus);
  if (result < 0) return result;
  bus_.reset(bus);
  result = sd_bus_set_address(bus, address_.c_str());
  if (result >= 0) result = sd_bus_set_bus_client(bus, 1);
  if (result >= 0) result = sd_bus_set_connected_signal(bus, 1);
  if (result >= 0) result = sd_bus_start(bus);
  sd_bus_slot* slot = nullptr;
  if (result >= 0)
    result = sd_bus_match_signal(bus, &slot, kLocal, nullptr, kLocal, "Connected", on_connected, this);
  if (result < 0) return result;
  connected_slot_.reset(slot);
  result = sd_bus_match_signal(bus, &slot, kLocal, nullptr, kLocal, "Disconnected", on_disconnected, this);
  if (result < 0) return result;
  disconnected_slot_.reset(slot);
  return sd_bus_attach_event(bus, loop_, SD_EVENT_PRIORITY_NORMAL);
}

// The timer, not this function, releases the bus: we may be inside one of its callbacks.
void BusConnection::give_up(std::string_view why) {
  phase_ = Phase::waiting;
  timer_.arm(backoff_);
  backoff_ = std::min(backoff_ * 2, backoff_max_);
  listener_.bus_lost(why);
}

void BusConnection::on_timer() {
  connected_slot_.reset();
  disconnected_slot_.reset();
  bus_.reset();
  if (phase_ == Phase::connecting) {
    give_up(base::fault("connect to", address_, "no answer within the deadline").error().message());
  } else {
    attempt();
  }
}

int BusConnection::on_connected(sd_bus_message* message, void* self, sd_bus_error* /*error*/) noexcept {
  auto& connection = *static_cast<BusConnection*>(self);
  connection.phase_ = Phase::connected;
  connection.timer_.disarm();
  connection.backoff_ = connection.backoff_min_;
  connection.listener_.bus_connected(sd_bus_message_get_bus(message));
  return 0;
}

int BusConnection::on_disconnected(sd_bus_message* /*message*/, void* self,
                                   sd_bus_error* /*error*/) noexcept {
  auto& connection = *static_cast<BusConnection*>(self);
  if (connection.phase_ != Phase::waiting) connection.give_up("the message bus closed the connection");
  return 0;
}

}  // namespace allocd::host
