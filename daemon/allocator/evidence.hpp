// SPDX-License-Identifier: Apache-2.0
// What was found out about one process's allocator, and how. A value; made by identify.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allocator/kind.hpp"

namespace allocd::allocator {

// An allocator library in the process. The C library is listed only where it is the active one.
struct Library {
  Kind kind = Kind::unknown;
  LibraryState state = LibraryState::mapped;
  std::string path;      // as the process sees it, without the kernel's " (deleted)" mark
  std::string build_id;  // lower-case hex, "" when it has none or could not be read
  OnDisk on_disk = OnDisk::unknown;
  bool operator==(const Library&) const = default;
};

struct Evidence {
  Kind active = Kind::unknown;  // which malloc this process uses
  Rung rung = Rung::none;
  std::string detail;  // one plain sentence: how we know, or why we do not
  std::vector<Library> libraries;
  std::optional<std::uint32_t> jemalloc_background_threads;
  std::optional<std::uint32_t> glibc_heaps;  // non-main arena heaps, see heap_shape.hpp
  std::optional<std::uint64_t> mappings;     // lines of /proc/PID/maps
  double checked_at = 0;                     // seconds since the epoch
  bool operator==(const Evidence&) const = default;
};

}  // namespace allocd::allocator
