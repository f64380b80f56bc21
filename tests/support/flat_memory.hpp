// SPDX-License-Identifier: Apache-2.0
// A process's memory as one block of bytes at a base address, for walks over captured or hostile bytes.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "allocator/memory_reader.hpp"

namespace allocd::test {

class FlatMemory final : public allocator::MemoryReader {
 public:
  FlatMemory(std::uint64_t base, std::span<const std::byte> content) : base_(base), content_(content) {}

  [[nodiscard]] std::size_t read_some(std::uint64_t address, std::span<std::byte> out) override {
    if (++reads > limit) return 0;
    if (address < base_ || address - base_ >= content_.size()) return 0;
    const auto from = content_.subspan(static_cast<std::size_t>(address - base_));
    const std::size_t count = std::min(from.size(), out.size());
    if (count == 0) return 0;
    std::memcpy(out.data(), from.data(), count);
    return count;
  }
  [[nodiscard]] int last_error() const override { return EFAULT; }

  std::uint64_t reads = 0;
  std::uint64_t limit = 100'000;

 private:
  std::uint64_t base_;
  std::span<const std::byte> content_;
};

}  // namespace allocd::test
