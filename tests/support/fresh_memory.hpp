// SPDX-License-Identifier: Apache-2.0
// Anonymous memory straight from the kernel, every page of it touched.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstring>

#include "support/catch.hpp"

namespace allocd::test {

class FreshMemory {
 public:
  explicit FreshMemory(std::size_t size)
      : size_(size),
        place_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    REQUIRE(place_ != MAP_FAILED);
    std::memset(place_, 'x', size);
  }
  ~FreshMemory() { ::munmap(place_, size_); }
  FreshMemory(const FreshMemory&) = delete;
  FreshMemory& operator=(const FreshMemory&) = delete;

 private:
  std::size_t size_;
  void* place_;
};

}  // namespace allocd::test
