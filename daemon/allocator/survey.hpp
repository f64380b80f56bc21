// SPDX-License-Identifier: Apache-2.0
// One pass over a process's memory map, kept to what evidence needs: the files mapped and where, the heap
// shape, and how many mappings there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "allocator/heap_shape.hpp"
#include "kernel/maps.hpp"

namespace allocd::allocator {

struct MappedFile {
  std::string path;          // raw, as the kernel wrote it
  std::uint64_t device = 0;  // major << 32 | minor
  std::uint64_t inode = 0;
  std::uint64_t base = 0;  // where offset 0 was mapped last, 0 when it is not
};

struct Located {
  const MappedFile* file = nullptr;  // null: no file is mapped there
  std::uint64_t base = 0;            // where offset 0 of this copy of it is mapped, 0 when it is not
};

class Survey {
 public:
  void add(const kernel::Mapping& mapping);

  [[nodiscard]] std::uint64_t mappings() const { return mappings_; }
  [[nodiscard]] std::uint32_t heaps() const { return counter_.heaps(); }
  [[nodiscard]] const std::vector<MappedFile>& files() const { return files_; }
  [[nodiscard]] Located file_at(std::uint64_t address) const;
  [[nodiscard]] const MappedFile* find(const std::function<bool(const MappedFile&)>& accepts) const;

 private:
  struct Range {
    std::uint64_t start;
    std::uint64_t end;
    std::size_t file;
    std::uint64_t base;
  };
  [[nodiscard]] std::size_t file_index(const kernel::Mapping& mapping);

  std::uint64_t mappings_ = 0;
  HeapCounter counter_;
  std::vector<MappedFile> files_;
  std::vector<Range> ranges_;  // by address, bounded
};

}  // namespace allocd::allocator
