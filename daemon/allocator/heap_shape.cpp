// SPDX-License-Identifier: Apache-2.0
#include "allocator/heap_shape.hpp"

namespace allocd::allocator {

void HeapCounter::add(const kernel::Mapping& mapping) {
  const bool anonymous = !mapping.is_file() && mapping.path.empty() && mapping.is_private;
  const bool reserve = anonymous && !mapping.readable && !mapping.writable && !mapping.executable;
  if (reserve && mapping.start == open_end_ && open_end_ != open_start_) {
    // The rest of a partly used heap ends on the boundary, alone or merged with a reserve behind it.
    const std::uint64_t boundary = (open_end_ + kHeapMaxSize - 1) / kHeapMaxSize * kHeapMaxSize;
    if (mapping.end >= boundary) ++heaps_;
  }
  open_start_ = open_end_ = 0;
  if (!anonymous || !mapping.readable || !mapping.writable || mapping.executable) return;
  if (mapping.start % kHeapMaxSize != 0) return;
  heaps_ += static_cast<std::uint32_t>(mapping.size() / kHeapMaxSize);
  if (mapping.size() % kHeapMaxSize == 0) return;
  open_start_ = mapping.start;
  open_end_ = mapping.end;
}

}  // namespace allocd::allocator
