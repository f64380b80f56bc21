// SPDX-License-Identifier: Apache-2.0
// Any bytes as a maps file: never a crash, and what is parsed keeps its order.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "allocator/survey.hpp"
#include "kernel/maps.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  allocd::allocator::Survey survey;
  std::uint64_t mappings = 0;
  static_cast<void>(allocd::kernel::visit_maps_text(text, [&](const allocd::kernel::Mapping& mapping) {
    if (mapping.end < mapping.start) std::abort();
    static_cast<void>(allocd::kernel::unescape_maps_path(mapping.path));
    survey.add(mapping);
    ++mappings;
  }));
  if (survey.mappings() != mappings) std::abort();
  static_cast<void>(survey.file_at(0x1000));
  return 0;
}
