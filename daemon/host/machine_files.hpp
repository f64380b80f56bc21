// SPDX-License-Identifier: Apache-2.0
// The files from which systemd's system manager takes what it knows of the machine and of itself: specifiers
// of systemd.unit(5), and the settings of systemd-system.conf(5). Constants; any thread.
#pragma once

#include <array>
#include <string_view>

namespace allocd::host::machine_files {

inline constexpr const char* kMachineId = "/etc/machine-id";
inline constexpr const char* kMachineInfo = "/etc/machine-info";
inline constexpr const char* kBootId = "/proc/sys/kernel/random/boot_id";
// os-release(5): the first that is there.
inline constexpr std::array kOsRelease{"/etc/os-release", "/usr/lib/os-release"};

// The first that is there; then every *.conf of the directories, in the order of their names, where one of an
// earlier directory hides those of its name.
inline constexpr std::array kManagerSettings{"/etc/systemd/system.conf", "/run/systemd/system.conf",
                                             "/usr/lib/systemd/system.conf"};
inline constexpr std::array kManagerDropIns{"/etc/systemd/system.conf.d", "/run/systemd/system.conf.d",
                                            "/usr/local/lib/systemd/system.conf.d",
                                            "/usr/lib/systemd/system.conf.d"};

}  // namespace allocd::host::machine_files
