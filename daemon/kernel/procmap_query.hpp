// SPDX-License-Identifier: Apache-2.0
// The PROCMAP_QUERY ioctl on /proc/PID/maps (Linux 6.11, include/uapi/linux/fs.h): which file owns an
// address, its exact name and its build-id, without reading a byte of the process.
//
// The name is exact where the text file is not (a newline stands as itself), but " (deleted)" is appended
// here too. Older kernels answer ENOTTY: not_supported, a normal outcome. Needs the rights that open maps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace allocd::kernel {

struct OwningFile {
  std::string name;
  std::string build_id;  // lower-case hex, "" when the file has none
};

// The file mapped at `address` by the process whose maps file is open at `maps_fd`; nothing when there is
// none, when the name is longer than PATH_MAX, or when the kernel is too old.
[[nodiscard]] std::optional<OwningFile> query_owning_file(int maps_fd, std::uint64_t address);

}  // namespace allocd::kernel
