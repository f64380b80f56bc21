// SPDX-License-Identifier: Apache-2.0
// The names, match rules and message forms of org.freedesktop.systemd1(5) that we use. Pure.
#pragma once

#include <systemd/sd-bus.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/bus_calls.hpp"
#include "host/unit_view.hpp"

namespace allocd::host {

inline constexpr const char* kSystemd = "org.freedesktop.systemd1";
inline constexpr const char* kBus = "org.freedesktop.DBus";

// systemd sends PropertiesChanged for the type's own interface first and for Unit last: one is enough.
inline constexpr const char* kPropertiesRule =
    "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.DBus.Properties',"
    "member='PropertiesChanged',path_namespace='/org/freedesktop/systemd1/"
    "unit',arg0='org.freedesktop.systemd1.Unit'";
inline constexpr const char* kNameOwnerRule =
    "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/"
    "DBus',interface='org.freedesktop.DBus',"
    "member='NameOwnerChanged',arg0='org.freedesktop.systemd1'";

// One rule per signal: the Manager has others (JobNew, StartupFinished) that would only wake us.
[[nodiscard]] std::string manager_rule(std::string_view member);

// The object path of a unit and back; "" for what has none.
[[nodiscard]] std::string unit_path(const std::string& name);
[[nodiscard]] std::string unit_name(const char* path);

[[nodiscard]] BusCall manager_call(const char* member, std::function<int(sd_bus_message*)> append = {});
// When unit files were last read again; and its answer, 0 or a negative errno value.
[[nodiscard]] BusCall load_time_call();
[[nodiscard]] int parse_load_time(sd_bus_message* reply, std::uint64_t& usec);
// The environment of the manager; and its answer, 0 or a negative errno value.
[[nodiscard]] BusCall environment_call();
[[nodiscard]] int parse_environment(sd_bus_message* reply, std::vector<std::string>& out);
// Which systemd it is; and its answer, 0 or a negative errno value.
[[nodiscard]] BusCall version_call();
[[nodiscard]] int parse_version(sd_bus_message* reply, std::string& out);
// Arguments of ListUnitsByPatterns: units in any state. 0 or a negative errno value.
[[nodiscard]] int append_patterns(sd_bus_message* call, const std::vector<std::string>& patterns);
// The answer of ListUnits and ListUnitsByPatterns. 0 or a negative errno value.
[[nodiscard]] int parse_unit_list(sd_bus_message* reply, std::vector<ListedUnit>& out);

}  // namespace allocd::host
