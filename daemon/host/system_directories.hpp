// SPDX-License-Identifier: Apache-2.0
// The directories systemd's system manager stands for with a specifier (systemd.unit(5), "Specifiers"). They
// are compiled into it and the same everywhere. Constants; any thread.
#pragma once

#include <string_view>

namespace allocd::host::system_directories {

inline constexpr std::string_view kRuntime = "/run";                   // %t
inline constexpr std::string_view kState = "/var/lib";                 // %S
inline constexpr std::string_view kCache = "/var/cache";               // %C
inline constexpr std::string_view kLogs = "/var/log";                  // %L
inline constexpr std::string_view kConfiguration = "/etc";             // %E
inline constexpr std::string_view kTemporary = "/tmp";                 // %T
inline constexpr std::string_view kLargeTemporary = "/var/tmp";        // %V
inline constexpr std::string_view kCredentials = "/run/credentials/";  // %d, before the unit's name

}  // namespace allocd::host::system_directories
