// SPDX-License-Identifier: Apache-2.0
// Facts of the running kernel: identity of the boot, limits, and how its clocks relate.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/root.hpp"

namespace allocd::kernel {

struct SystemFacts {
  std::string boot_id;  // /proc/sys/kernel/random/boot_id, "" when unreadable
  std::string hostname;
  std::string release;              // uname(2)
  std::uint64_t max_map_count = 0;  // vm.max_map_count, 0 when unreadable
};

[[nodiscard]] SystemFacts read_system_facts(const host::Root& root);

// The directory that holds a directory per process.
[[nodiscard]] base::Result<base::UniqueFd> open_process_directory(const host::Root& root);

// Seconds since the epoch now.
[[nodiscard]] double realtime_now();
// Seconds on the clock of systemd's monotonic timestamps: nobody sets it, and it starts anew with each boot.
[[nodiscard]] double monotonic_now();
// Seconds since boot, time asleep too: the clock of process start times, which nobody sets.
[[nodiscard]] double since_boot_now();
// Start ticks of /proc/PID/stat on that clock.
[[nodiscard]] double start_since_boot(std::uint64_t start_ticks);
// Seconds of CPU this process has used, user and system.
[[nodiscard]] double own_cpu_seconds();
// Resident bytes of this process.
[[nodiscard]] std::uint64_t read_own_resident(const host::Root& root);

// Turns start ticks of /proc/PID/stat into seconds since the epoch, with the clocks as they stand when made.
class StartClock {
 public:
  StartClock();
  [[nodiscard]] double to_realtime(std::uint64_t start_ticks) const;

 private:
  double boot_realtime_ = 0;
};

}  // namespace allocd::kernel
