// SPDX-License-Identifier: Apache-2.0
// Counts glibc's non-main arena heaps from the shape of the memory map, without reading the process.
//
// glibc (malloc/arena.c) reserves each heap of a secondary arena as one HEAP_MAX_SIZE-aligned block of
// PROT_NONE memory and makes it writable from the front: an anonymous rw-p mapping that starts on a 64 MiB
// boundary and is followed by ---p up to the next boundary. A full heap has no ---p part, and full
// neighbours merge into one mapping. An estimate: another allocator's aligned blocks look alike, so the
// figure means something only where glibc is the active one; with a huge-page tunable heaps are larger and
// are not counted.
#pragma once

#include <cstdint>

#include "kernel/maps.hpp"

namespace allocd::allocator {

inline constexpr std::uint64_t kHeapMaxSize = std::uint64_t{64}
                                              << 20U;  // 64-bit: 2 * DEFAULT_MMAP_THRESHOLD_MAX

// Fed with the mappings in address order.
class HeapCounter {
 public:
  void add(const kernel::Mapping& mapping);
  [[nodiscard]] std::uint32_t heaps() const { return heaps_; }

 private:
  std::uint32_t heaps_ = 0;
  std::uint64_t open_start_ = 0;  // a writable front whose ---p rest has not been seen yet
  std::uint64_t open_end_ = 0;
};

}  // namespace allocd::allocator
