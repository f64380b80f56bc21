// SPDX-License-Identifier: Apache-2.0
#include "host/systemd_interface.hpp"

#include <cstdlib>
#include <memory>
#include <utility>

namespace allocd::host {

namespace {

constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManagerInterface = "org.freedesktop.systemd1.Manager";
constexpr const char* kUnitPrefix = "/org/freedesktop/systemd1/unit";

// sd-bus allocates with malloc.
using CString = std::unique_ptr<char, decltype(&std::free)>;

BusCall property_call(const char* property) {
  return {.destination = kSystemd,
          .path = kManagerPath,
          .interface = "org.freedesktop.DBus.Properties",
          .member = "Get",
          .append = [property](sd_bus_message* call) {
            return sd_bus_message_append(call, "ss", kManagerInterface, property);
          }};
}

}  // namespace

std::string manager_rule(std::string_view member) {
  return std::string(
             "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',"
             "interface='org.freedesktop.systemd1.Manager',member='") +
         std::string(member) + "'";
}

std::string unit_path(const std::string& name) {
  char* path = nullptr;
  if (sd_bus_path_encode(kUnitPrefix, name.c_str(), &path) < 0) return {};
  return CString(path, &std::free).get();
}

std::string unit_name(const char* path) {
  char* name = nullptr;
  if (path == nullptr || sd_bus_path_decode(path, kUnitPrefix, &name) <= 0) return {};
  return CString(name, &std::free).get();
}

BusCall manager_call(const char* member, std::function<int(sd_bus_message*)> append) {
  return {.destination = kSystemd,
          .path = kManagerPath,
          .interface = kManagerInterface,
          .member = member,
          .append = std::move(append)};
}

BusCall load_time_call() {
  return property_call("UnitsLoadTimestamp");
}

int parse_load_time(sd_bus_message* reply, std::uint64_t& usec) {
  const int result = sd_bus_message_read(reply, "v", "t", &usec);
  return result < 0 ? result : 0;
}

BusCall environment_call() {
  return property_call("Environment");
}

int parse_environment(sd_bus_message* reply, std::vector<std::string>& out) {
  int result = sd_bus_message_enter_container(reply, 'v', "as");
  if (result > 0) result = sd_bus_message_enter_container(reply, 'a', "s");
  const char* text = nullptr;
  while (result >= 0 && (result = sd_bus_message_read(reply, "s", &text)) > 0) out.emplace_back(text);
  return result < 0 ? result : 0;
}

BusCall version_call() {
  return property_call("Version");
}

int parse_version(sd_bus_message* reply, std::string& out) {
  const char* text = nullptr;
  const int result = sd_bus_message_read(reply, "v", "s", &text);
  if (result > 0) out = text;
  return result < 0 ? result : 0;
}

int append_patterns(sd_bus_message* call, const std::vector<std::string>& patterns) {
  int result = sd_bus_message_append(call, "as", 0);  // any state
  if (result >= 0) result = sd_bus_message_open_container(call, 'a', "s");
  for (const std::string& pattern : patterns) {
    if (result >= 0) result = sd_bus_message_append_basic(call, 's', pattern.c_str());
  }
  return result < 0 ? result : sd_bus_message_close_container(call);
}

// name, description, load state, active state, sub state, followed, path, job id, job type, job path
int parse_unit_list(sd_bus_message* reply, std::vector<ListedUnit>& out) {
  int result = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
  if (result < 0) return result;
  const char* name = nullptr;
  const char* load_state = nullptr;
  while ((result = sd_bus_message_enter_container(reply, 'r', "ssssssouso")) > 0) {
    result = sd_bus_message_read(reply, "sss", &name, nullptr, &load_state);
    if (result >= 0) result = sd_bus_message_skip(reply, "sssouso");
    if (result >= 0) result = sd_bus_message_exit_container(reply);
    if (result < 0) return result;
    out.push_back({.name = name, .load_state = load_state});
  }
  return result;
}

}  // namespace allocd::host
