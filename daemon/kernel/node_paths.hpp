// SPDX-License-Identifier: Apache-2.0
// Where the kernel keeps the memory state of the whole machine. Names only, so that the readers above this
// layer need not spell them.
#pragma once

#include <string_view>

namespace allocd::kernel {

inline constexpr std::string_view kMeminfoPath = "/proc/meminfo";
inline constexpr std::string_view kVmstatPath = "/proc/vmstat";
inline constexpr std::string_view kMemoryPressurePath = "/proc/pressure/memory";
inline constexpr std::string_view kCommandLinePath = "/proc/cmdline";
inline constexpr std::string_view kNumaBalancingPath = "/proc/sys/kernel/numa_balancing";
inline constexpr std::string_view kVmSysctlFolder = "/proc/sys/vm";
inline constexpr std::string_view kThpFolder = "/sys/kernel/mm/transparent_hugepage";
inline constexpr std::string_view kHugetlbFolder = "/sys/kernel/mm/hugepages";
inline constexpr std::string_view kNodeFolder = "/sys/devices/system/node";
inline constexpr std::string_view kIommuClassFolder = "/sys/class/iommu";
inline constexpr std::string_view kIommuGroupFolder = "/sys/kernel/iommu_groups";

}  // namespace allocd::kernel
