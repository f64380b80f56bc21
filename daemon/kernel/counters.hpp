// SPDX-License-Identifier: Apache-2.0
// Files of lines "name number": /proc/vmstat, a node's numastat, memory.stat, memory.events.
//
// Sample line: `thp_fault_alloc 1234`. Nothing promises which names there are: they come and go with kernels,
// so a caller takes those it knows, or all with a prefix. A line of another form, or text that does not end
// in a newline (it was cut short), makes the whole file no counters: what was visited before is to be thrown
// away. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace allocd::kernel {

struct Counter {
  std::string_view name;
  std::uint64_t value = 0;
};

// Takes the first line off `text`; nothing when it is no counter.
[[nodiscard]] std::optional<Counter> take_counter(std::string_view& text);

// Calls `visit(const Counter&)` for each line. False when the text is empty or is not counters to its end.
template <typename Visit>
[[nodiscard]] bool visit_counters(std::string_view text, const Visit& visit) {
  if (!text.ends_with('\n')) return false;
  while (!text.empty()) {
    const auto counter = take_counter(text);
    if (!counter) return false;
    visit(*counter);
  }
  return true;
}

}  // namespace allocd::kernel
