// SPDX-License-Identifier: Apache-2.0
// Which NUMA node a GPU is on, by the name of its device file: "nvidia0", "renderD128".
//
// Which GPUs a process uses is seen in its memory map: its file table is for its owner alone
// (proc_pid_fd(5)), and CAP_SYS_PTRACE does not open it. A render node is looked up in sysfs
// (Documentation/ABI/testing/sysfs-bus-pci, numa_node); NVIDIA's driver has device files of its own and names
// the PCI device of each minor in its folder of /proc. Nothing for a device that is not PCI, or whose node
// the firmware does not tell (-1). The reading asks the driver, so it is not for the loop; the parsers are
// pure.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "host/root.hpp"

namespace allocd::kernel {

// The device's name, of a path as it stands in maps: "/dev/nvidia0", "/dev/dri/renderD128".
[[nodiscard]] std::optional<std::string_view> parse_gpu_path(std::string_view path);

// The minor number, of the driver's `information` file: "Device Minor: \t 0".
[[nodiscard]] std::optional<unsigned> parse_nvidia_minor(std::string_view text);

// By name; those of `devices` whose node is known.
[[nodiscard]] std::map<std::string, unsigned> read_gpu_nodes(const host::Root& root,
                                                             std::span<const std::string> devices);

}  // namespace allocd::kernel
