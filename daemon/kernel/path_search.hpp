// SPDX-License-Identifier: Apache-2.0
// Finds the regular files that glob patterns name, within bounds, each inode once.
//
// A pattern is an absolute path whose components may hold `*`, `?` and `[...]`; a component `**` is any
// number of directories. A name that begins with a dot is matched only by a component that does. A match that
// is a directory stands for every file below it. Symbolic links are followed, as a HuggingFace cache needs
// (snapshots/REV/model ->
// ../../blobs/SHA), except by `**` and below a matched directory, where only links to files are. They are
// resolved here, component by component and inside the given root, so that
//   - an automount that nobody has used yet is left alone (its name counts as `automounts`, nothing is
//   mounted);
//   - nothing but a regular file is ever opened (a FIFO or a device by that name is not).
// A network file system that is mounted is walked like any other: a dead server blocks the calling thread,
// which is why this belongs on a thread that can be given up.
//
// Bounds are by count and by `keep_going`; a search that met one says so. Not permitted is counted, never
// "none".
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "host/root.hpp"
#include "kernel/chunks.hpp"

namespace allocd::kernel {

struct SearchLimits {
  std::size_t files = 4096;     // found
  std::size_t entries = 65536;  // names looked at
  std::size_t depth = 32;       // levels of directories, resolved
  std::size_t links = 40;       // symbolic links in one path, as the kernel has it
};

struct SearchCounts {
  std::uint64_t files = 0;          // handed to `visit`
  std::uint64_t not_permitted = 0;  // directories that could not be listed or entered
  std::uint64_t automounts = 0;     // left alone
  std::uint64_t others = 0;  // matches that are neither file nor directory, dangling and circular links
  bool stopped = false;      // by keep_going
  bool truncated = false;    // by a limit
  [[nodiscard]] bool is_complete() const { return !stopped && !truncated; }
  bool operator==(const SearchCounts&) const = default;
};

// A file that was found: its name in its open directory. `status` was taken without following anything.
struct FoundFile {
  int directory = -1;
  const char* name = nullptr;
  const struct stat* status = nullptr;
};

[[nodiscard]] SearchCounts find_files(const host::Root& root, std::span<const std::string> patterns,
                                      const SearchLimits& limits,
                                      const std::function<void(const FoundFile&)>& visit,
                                      const KeepGoing& keep_going = {});

}  // namespace allocd::kernel
