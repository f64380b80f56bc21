// SPDX-License-Identifier: Apache-2.0
#include "host/systemd_control.hpp"

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "host/systemd_interface.hpp"

namespace allocd::host {

namespace {

constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";

std::uint64_t to_usec(std::chrono::milliseconds time) {
  return static_cast<std::uint64_t>(std::chrono::microseconds(time).count());
}

struct BusError {
  sd_bus_error error{};
  BusError() = default;
  BusError(const BusError&) = delete;
  BusError& operator=(const BusError&) = delete;
  ~BusError() { sd_bus_error_free(&error); }
};

base::Result<BusHandle> open_system_bus() {
  sd_bus* made = nullptr;
  const int result = sd_bus_open_system(&made);
  if (result < 0) return base::fault_from_errno("connect to", "the system bus", -result);
  return BusHandle(made);
}

base::Result<BusHandle> open_bus(const std::string& address) {
  sd_bus* made = nullptr;
  int result = sd_bus_new(&made);
  BusHandle bus(made);
  if (result >= 0) result = sd_bus_set_address(made, address.c_str());
  if (result >= 0) result = sd_bus_set_bus_client(made, 1);
  if (result >= 0) result = sd_bus_start(made);
  if (result < 0) return base::fault_from_errno("connect to", address, -result);
  return bus;
}

}  // namespace

base::Result<sd_bus*> SystemdControl::bus() {
  if (bus_ && sd_bus_is_open(bus_.get()) > 0) return bus_.get();
  bus_.reset();
  auto opened = options_.address.empty() ? open_system_bus() : open_bus(options_.address);
  if (!opened) return std::unexpected(opened.error());
  bus_ = std::move(*opened);
  return bus_.get();
}

base::Result<MessageHandle> SystemdControl::call(const char* member,
                                                 const std::vector<std::string>& arguments,
                                                 std::chrono::milliseconds deadline) {
  auto connected = bus();
  if (!connected) return std::unexpected(connected.error());
  sd_bus_message* made = nullptr;
  int result = sd_bus_message_new_method_call(*connected, &made, kSystemd, kManagerPath, kManager, member);
  const MessageHandle message(made);
  for (const auto& argument : arguments) {
    if (result >= 0) result = sd_bus_message_append(made, "s", argument.c_str());
  }
  BusError error;
  sd_bus_message* reply = nullptr;
  if (result >= 0) result = sd_bus_call(*connected, made, to_usec(deadline), &error.error, &reply);
  const std::string what = arguments.empty() ? std::string(member) : member + (" " + arguments.front());
  if (result < 0 && sd_bus_error_is_set(&error.error) > 0 && error.error.message != nullptr) {
    return std::unexpected(base::Fault{"have systemd do", what, std::string(error.error.message), -result});
  }
  if (result < 0) return base::fault_from_errno("have systemd do", what, -result);
  return MessageHandle(reply);
}

base::Result<void> SystemdControl::reload() {
  auto reply = call("Reload", {}, options_.reload_deadline);
  if (!reply) return std::unexpected(reply.error());
  return {};
}

base::Result<void> SystemdControl::start(const std::string& unit) {
  auto reply = call("StartUnit", {unit, "fail"}, options_.call_deadline);
  if (!reply) return std::unexpected(reply.error());
  return {};
}

base::Result<void> SystemdControl::restart(const std::string& unit) {
  auto reply = call("TryRestartUnit", {unit, "fail"}, options_.call_deadline);
  if (!reply) return std::unexpected(reply.error());
  return {};
}

base::Result<void> SystemdControl::reload_unit(const std::string& unit) {
  auto reply = call("ReloadUnit", {unit, "replace"}, options_.call_deadline);
  if (!reply) return std::unexpected(reply.error());
  return {};
}

base::Result<void> SystemdControl::reset_failed(const std::string& unit) {
  auto reply = call("ResetFailedUnit", {unit}, options_.call_deadline);
  if (!reply) return std::unexpected(reply.error());
  return {};
}

base::Result<std::vector<std::string>> SystemdControl::environment() {
  auto connected = bus();
  if (!connected) return std::unexpected(connected.error());
  BusError error;
  char** list = nullptr;
  const int result = sd_bus_get_property_strv(*connected, kSystemd, kManagerPath, kManager, "Environment",
                                              &error.error, &list);
  if (result < 0) return base::fault_from_errno("read", "systemd's own environment", -result);
  std::vector<std::string> environment;
  for (char** entry = list; entry != nullptr && *entry != nullptr; ++entry) {
    environment.emplace_back(*entry);
    std::free(*entry);
  }
  std::free(static_cast<void*>(list));
  return environment;
}

base::Result<std::string> SystemdControl::version() {
  auto connected = bus();
  if (!connected) return std::unexpected(connected.error());
  BusError error;
  char* text = nullptr;
  const int result = sd_bus_get_property_string(*connected, kSystemd, kManagerPath, kManager, "Version",
                                                &error.error, &text);
  if (result < 0) return base::fault_from_errno("read", "systemd's version", -result);
  std::string version(text);
  std::free(text);
  return version;
}

base::Result<std::uint64_t> SystemdControl::boot_usec() {
  auto connected = bus();
  if (!connected) return std::unexpected(connected.error());
  BusError error;
  std::uint64_t usec = 0;
  const int result = sd_bus_get_property_trivial(*connected, kSystemd, kManagerPath, kManager,
                                                 "UserspaceTimestamp", &error.error, 't', &usec);
  if (result < 0) return base::fault_from_errno("read", "when systemd began", -result);
  return usec;
}

}  // namespace allocd::host
