// SPDX-License-Identifier: Apache-2.0
// /proc/PID/maps, proc_pid_maps(5).
//
// Sample: `7f3c5a000000-7f3c5a021000 rw-p 00000000 00:00 0 `
//         `7f3c6b200000-7f3c6b228000 r--p 00000000 fd:00 396 /usr/lib/x86_64-linux-gnu/libc.so.6`
// The path runs to the end of the line: blanks in it are its own. The kernel writes a newline in a path as
// `\012` and puts " (deleted)" after a path that leads nowhere; whether a path truly ends so is not told
// here. parse_maps_line is pure; MapsReader reads in chunks, so that a million mappings need no million-line
// buffer.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace allocd::kernel {

struct Mapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  bool is_private = false;
  std::uint64_t offset = 0;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t inode = 0;  // 0: anonymous
  std::string_view path;    // as the kernel wrote it; may be "[heap]", "[stack]" or empty

  [[nodiscard]] std::uint64_t size() const { return end - start; }
  [[nodiscard]] bool is_file() const { return inode != 0; }
};

[[nodiscard]] std::optional<Mapping> parse_maps_line(std::string_view line);

// Undoes the kernel's `\ooo` escapes for the characters it escapes in a maps path (newline).
[[nodiscard]] std::string unescape_maps_path(std::string_view path);

// Feeds every mapping of the maps file open at `fd` to `visit`, in address order. Returns 0 or an errno
// value. A line that cannot be parsed is EBADMSG. `keep_going` is asked once a chunk; false stops with
// ECANCELED.
[[nodiscard]] int visit_maps(int fd, const std::function<void(const Mapping&)>& visit,
                             const std::function<bool()>& keep_going = {});
// The same over text in memory.
[[nodiscard]] int visit_maps_text(std::string_view text, const std::function<void(const Mapping&)>& visit);

}  // namespace allocd::kernel
