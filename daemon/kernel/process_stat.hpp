// SPDX-License-Identifier: Apache-2.0
// /proc/PID/stat, proc_pid_stat(5). One line, readable for every user's process.
//
// Sample: `4711 (VLLM::Worker_TP) S 4700 4700 4700 0 -1 4194560 9129 0 2 0 ...`. The name stands in
// parentheses and may itself hold parentheses, spaces and newlines: the last `)` ends it.
// Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace allocd::kernel {

// Tells one program image from the next: execve keeps pid and start time, but gives a new address space.
// All zero without PTRACE_MODE_READ rights on the process.
struct ImageKey {
  std::uint64_t start_code = 0;   // field 26
  std::uint64_t end_code = 0;     // field 27
  std::uint64_t start_stack = 0;  // field 28; random for each execve
  bool operator==(const ImageKey&) const = default;
  [[nodiscard]] bool known() const { return start_code > 1; }  // the kernel gives 1 in place of what it hides
};

struct ProcessStat {
  std::string_view comm;           // points into the text
  char state = '?';                // field 3
  std::uint64_t minor_faults = 0;  // field 10
  std::uint64_t major_faults = 0;  // field 12
  std::uint64_t threads = 0;       // field 20; counts a first thread that has ended while others run
  std::uint64_t start_ticks = 0;   // field 22, since boot, in sysconf(_SC_CLK_TCK)
  ImageKey image;

  // A process whose first thread has ended is shown as a zombie while others run on, with all their memory.
  [[nodiscard]] bool has_ended() const { return state == 'X' || (state == 'Z' && threads <= 1); }
  [[nodiscard]] bool has_lost_first_thread() const { return state == 'Z' && threads > 1; }
};

[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view text);

}  // namespace allocd::kernel
