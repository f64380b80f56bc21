// SPDX-License-Identifier: Apache-2.0
// Any bytes as a file of a control group: never a crash, and a limit is a number or none.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernel/cgroup_memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto stat = allocd::kernel::parse_memory_stat(text);
  const auto nodes = allocd::kernel::parse_memory_numa_stat(text);
  static_cast<void>(allocd::kernel::parse_memory_events(text));
  static_cast<void>(allocd::kernel::parse_limit(text));
  // What was cut short is nothing.
  if (!text.ends_with('\n') && (stat || nodes)) std::abort();
  return 0;
}
