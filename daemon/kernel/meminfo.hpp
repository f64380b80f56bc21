// SPDX-License-Identifier: Apache-2.0
// /proc/meminfo, proc_meminfo(5), and a NUMA node's meminfo, Documentation/ABI/stable/sysfs-devices-node.
//
// Sample lines: `MemTotal:       24684084 kB`, `Node 0 MemTotal:       18442444 kB`, `HugePages_Total: 0`.
// Values with a unit are given in bytes, those without are counts. Keys differ by kernel; one that is absent
// is simply not visited. A line of another form, or text that does not end in a newline, makes the whole file
// no meminfo: what was visited before is to be thrown away. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace allocd::kernel {

struct MeminfoLine {
  std::string_view key;     // "MemTotal", "Active(anon)"
  std::uint64_t value = 0;  // bytes, or a count
};

// Takes the first line off `text`; nothing when it is no line of a meminfo file.
[[nodiscard]] std::optional<MeminfoLine> take_meminfo_line(std::string_view& text);

// Calls `visit(const MeminfoLine&)` for each line. False when the text is empty or not meminfo to its end.
template <typename Visit>
[[nodiscard]] bool visit_meminfo(std::string_view text, const Visit& visit) {
  if (!text.ends_with('\n')) return false;
  while (!text.empty()) {
    const auto line = take_meminfo_line(text);
    if (!line) return false;
    visit(*line);
  }
  return true;
}

}  // namespace allocd::kernel
