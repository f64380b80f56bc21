// SPDX-License-Identifier: Apache-2.0
// Any bytes as the memory of a process: the walk ends, within a bounded number of reads, without a crash.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "allocator/link_map.hpp"
#include "allocator/resolve.hpp"
#include "allocator/survey.hpp"
#include "support/flat_memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint64_t kBase = 0x10000;
  allocd::test::FlatMemory memory(kBase, std::as_bytes(std::span(data, size)));
  const allocd::allocator::Survey survey;
  static_cast<void>(allocd::allocator::resolve_malloc(memory, survey, kBase, kBase));
  if (const auto header = allocd::allocator::read_image_header(memory, kBase)) {
    static_cast<void>(allocd::allocator::read_build_id(memory, *header));
  }
  return 0;
}
