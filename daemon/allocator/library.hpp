// SPDX-License-Identifier: Apache-2.0
// The last facts of an allocator library: its exact path, its build-id, and whether it is still on disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "allocator/evidence.hpp"
#include "allocator/memory_reader.hpp"
#include "allocator/survey.hpp"

namespace allocd::allocator {

struct PendingLibrary {
  Library library;  // kind and state are set
  const MappedFile* file = nullptr;
  std::uint64_t base = 0;
};

// The kernel's path without its " (deleted)" mark, for recognising a name.
[[nodiscard]] std::string_view library_path(std::string_view kernel_path);

// `maps_fd` is the process's open maps file: a kernel with PROCMAP_QUERY gives exact name and build-id
// through it; an older one leaves the path of the text file, and the build-id to be read from the process.
[[nodiscard]] Library complete_library(int process_directory, int maps_fd, MemoryReader& memory,
                                       const PendingLibrary& pending);

}  // namespace allocd::allocator
