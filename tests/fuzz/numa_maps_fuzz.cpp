// SPDX-License-Identifier: Apache-2.0
// Any bytes as a numa_maps file: never a crash, and no more policies than are kept.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernel/costly.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using allocd::kernel::NumaMaps;
  NumaMaps maps;
  static_cast<void>(maps.add({reinterpret_cast<const char*>(data), size}));
  if (maps.policies().size() > NumaMaps::kMaxPolicies + 1) std::abort();
  return 0;
}
