// SPDX-License-Identifier: Apache-2.0
// A file without a place on any disk, for readers that want a descriptor or a path below /proc/PID/root.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>

#include "base/unique_fd.hpp"

namespace allocd::test {

class MemoryFile {
 public:
  MemoryFile()
      : fd_(::memfd_create("allocd-test", MFD_CLOEXEC)),
        self_(::open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (!fd_ || !self_) std::abort();
  }

  // Replaces its content; `hole` bytes of nothing come before.
  void write(const void* data, std::size_t size, std::size_t hole = 0) const {
    const auto at = static_cast<off_t>(hole);
    if (::ftruncate(fd_.get(), 0) != 0 || ::ftruncate(fd_.get(), at) != 0) std::abort();
    if (size > 0 && ::pwrite(fd_.get(), data, size, at) != static_cast<ssize_t>(size)) std::abort();
  }
  [[nodiscard]] int fd() const { return fd_.get(); }
  // The directory of a process (this one), and the file's path as that process would name it.
  [[nodiscard]] int process_directory() const { return self_.get(); }
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

 private:
  base::UniqueFd fd_;
  base::UniqueFd self_;
};

}  // namespace allocd::test
