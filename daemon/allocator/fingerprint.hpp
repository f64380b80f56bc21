// SPDX-License-Identifier: Apache-2.0
// Texts that allocators carry in their code, searched for in an executable: the only evidence for a static
// program, and the only sign of an allocator hidden in a dynamic one. Presence, not use.
//
// Read once per file (device, inode, size, change time); the cache is shared by the reader threads.
#pragma once

#include <sys/stat.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "allocator/kind.hpp"

namespace allocd::allocator {

struct Fingerprint {
  bool jemalloc = false;
  bool tcmalloc = false;
  bool mimalloc = false;
  bool glibc = false;     // glibc's malloc itself, not a program that links to it
  bool musl = false;      // only where the program kept its symbol table
  bool go = false;        // built by Go, whose runtime brings its own allocator
  bool complete = false;  // the whole file was searched

  bool operator==(const Fingerprint&) const = default;
  // The kind a static program of this fingerprint runs on; unknown when nothing or too much was found.
  [[nodiscard]] Kind kind() const;
};

// Of text in memory; pure.
[[nodiscard]] Fingerprint find_fingerprint(std::string_view text);

class FingerprintCache {
 public:
  // Of the file open at `fd`; nothing when it cannot be read. `keep_going` false gives up between chunks.
  [[nodiscard]] std::optional<Fingerprint> of_file(int fd, const std::function<bool()>& keep_going);

 private:
  struct Key {
    dev_t device;
    ino_t inode;
    off_t size;
    std::int64_t changed_ns;
    auto operator<=>(const Key&) const = default;
  };
  std::mutex mutex_;
  std::map<Key, Fingerprint> known_;
};

}  // namespace allocd::allocator
