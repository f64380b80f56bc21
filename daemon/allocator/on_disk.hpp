// SPDX-License-Identifier: Apache-2.0
// Whether the file behind a mapping is still the one its path leads to, as the process itself would see it.
//
// Looked up below /proc/PID/root, so that another mount namespace or a chroot gives its own answer. The
// kernel's " (deleted)" mark and a file truly named so are told apart by inode.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "allocator/kind.hpp"

namespace allocd::allocator {

struct DiskFile {
  std::string path;  // without the kernel's mark, a newline as itself
  OnDisk state = OnDisk::unknown;
};

// `process_directory` is an open /proc/PID; `name` the path as the kernel gave it, unescaped.
[[nodiscard]] DiskFile find_on_disk(int process_directory, const std::string& name, std::uint64_t inode);

// NT_GNU_BUILD_ID of an ELF file on disk at the same place, "" when it has none or cannot be read.
[[nodiscard]] std::string read_file_build_id(int process_directory, const std::string& path);

}  // namespace allocd::allocator
