// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernel/costly.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static_cast<void>(allocd::kernel::parse_smaps_rollup({reinterpret_cast<const char*>(data), size}));
  return 0;
}
