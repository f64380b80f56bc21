// SPDX-License-Identifier: Apache-2.0
// /proc/PID/status, proc_pid_status(5): the memory of a process, split by kind, at a cost that does not
// depend on its size. Readable for every user's process.
//
// Sample line: `RssAnon:\t  123456 kB`. A kernel thread and a zombie have no Vm lines.
// Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
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
  std::uint64_t threads = 0;
  bool has_memory = false;  // false: a kernel thread or a zombie
};

// Nothing when the text is not a status file or a number in it is not one.
[[nodiscard]] std::optional<ProcessStatus> parse_process_status(std::string_view text);

}  // namespace allocd::kernel
