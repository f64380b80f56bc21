// SPDX-License-Identifier: Apache-2.0
// /proc/PID/status, proc_pid_status(5): the memory of a process, split by kind, at a cost that does not
// depend on its size. Readable for every user's process.
//
// Sample line: `RssAnon:\t  123456 kB`. A kernel thread and a zombie have no Vm lines.
// Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace allocd::kernel {

// Bytes.
struct ProcessStatus {
  std::uint64_t peak_resident = 0;  // VmHWM
  std::uint64_t resident = 0;       // VmRSS
  std::uint64_t anonymous = 0;      // RssAnon
  std::uint64_t file = 0;           // RssFile
  std::uint64_t shared = 0;         // RssShmem
  std::uint64_t swap = 0;           // VmSwap
  std::uint64_t locked = 0;         // VmLck
  std::uint64_t pinned = 0;         // VmPin
  std::uint64_t page_tables = 0;    // VmPTE
  std::uint64_t hugetlb = 0;        // HugetlbPages; not part of VmRSS
  std::uint64_t threads = 0;
  bool has_memory = false;  // false: a kernel thread or a zombie
};

// Where a process may run and whether it may have huge pages. These change rarely and stand behind what a
// sample reads: for once per program image, not for every sample.
struct ProcessPlacement {
  std::optional<bool> thp_enabled;  // THP_enabled, 5.0: false after prctl(PR_SET_THP_DISABLE)
  std::string cpus_allowed;         // Cpus_allowed_list, "0-3,8"; "" when absent
  std::string mems_allowed;  // Mems_allowed_list: nodes of its cpuset. A memory policy does not show here.
};

// Nothing when the text is not a status file or a number in it is not one.
[[nodiscard]] std::optional<ProcessStatus> parse_process_status(std::string_view text);
// Nothing when the text is not a status file.
[[nodiscard]] std::optional<ProcessPlacement> parse_process_placement(std::string_view text);

}  // namespace allocd::kernel
