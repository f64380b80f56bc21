// SPDX-License-Identifier: Apache-2.0
// Any bytes as /proc/PID/status, for both of its readers.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernel/process_status.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(allocd::kernel::parse_process_status(text));
  static_cast<void>(allocd::kernel::parse_process_placement(text));
  return 0;
}
