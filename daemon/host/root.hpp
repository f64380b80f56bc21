// SPDX-License-Identifier: Apache-2.0
// The machine's file tree as one directory handle, so that tests can hand in a captured tree.
//
// Paths given here are absolute in the tree ("/proc/meminfo") and are opened relative to the handle,
// close-on-exec. A file is read whole and size-capped: kernel files have no length to ask for. Nothing
// is cached and nothing is logged. Safe from any thread.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace allocd::host {

// Largest file read whole unless the caller says otherwise. A maps file of 65,530 mappings is about 6 MiB.
inline constexpr std::size_t kDefaultFileLimit = std::size_t{16} << 20U;

// Reads everything from the current position of `fd`, at most `limit` bytes; more is EFBIG.
[[nodiscard]] base::Result<std::string> read_all(int fd, std::string_view name_for_faults,
                                                 std::size_t limit = kDefaultFileLimit);
// Reads `name` relative to the directory `directory_fd`.
[[nodiscard]] base::Result<std::string> read_file_at(int directory_fd, const char* name,
                                                     std::size_t limit = kDefaultFileLimit);
// As read_file_at, into a caller's buffer that keeps its capacity. Returns 0 or an errno value; `out` is
// cleared first. For the sampling path: no allocation once the buffer has grown.
[[nodiscard]] int read_file_into(int directory_fd, const char* name, std::string& out,
                                 std::size_t limit = kDefaultFileLimit);
// As read_file_into, from the start of a file of /proc that stays open: one call for most files, because
// there a read that does not fill the buffer is the last one.
[[nodiscard]] int read_again_into(int fd, std::string& out);

class Root {
 public:
  // Opens `path` as the root of the tree; "/" is the machine itself.
  [[nodiscard]] static base::Result<Root> open(const std::string& path = "/");

  // The same tree through a handle of its own, for a thread that may outlive this one.
  [[nodiscard]] base::Result<Root> duplicate() const;

  [[nodiscard]] base::Result<base::UniqueFd> open_directory(std::string_view path) const;
  [[nodiscard]] base::Result<base::UniqueFd> open_file(std::string_view path) const;
  [[nodiscard]] base::Result<std::string> read_file(std::string_view path,
                                                    std::size_t limit = kDefaultFileLimit) const;
  [[nodiscard]] base::Result<std::string> read_link(std::string_view path) const;
  [[nodiscard]] base::Result<struct stat> status(std::string_view path) const;
  [[nodiscard]] bool exists(std::string_view path) const;
  // Names in a directory, sorted, without "." and "..".
  [[nodiscard]] base::Result<std::vector<std::string>> list_directory(std::string_view path) const;

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit Root(base::UniqueFd fd) : fd_(std::move(fd)) {}
  base::UniqueFd fd_;
};

// Names in an open directory, sorted, without "." and "..". `directory_fd` is left where it was.
[[nodiscard]] base::Result<std::vector<std::string>> list_directory(int directory_fd);

}  // namespace allocd::host
