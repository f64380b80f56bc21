// SPDX-License-Identifier: Apache-2.0
// Any bytes as a pressure file: never a crash, never a share that is no number.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernel/pressure.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto pressure = allocd::kernel::parse_pressure({reinterpret_cast<const char*>(data), size});
  if (pressure && !(pressure->some.avg10 >= 0 && pressure->some.avg60 >= 0)) std::abort();
  return 0;
}
