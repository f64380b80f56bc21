// SPDX-License-Identifier: Apache-2.0
// The one way in which allocd writes into other programs' directories: a file that is wholly old or wholly
// new at every moment, in a directory that is made and removed with it.
//
// A path is .../BASE/DIRECTORY/NAME. BASE must exist, and links on the way to it are the administrator's own.
// DIRECTORY and NAME are reached by handle and never through a link. What is not ours (that is: of the user
// who runs this) or is not what the caller has seen is left as it is, and told: an Applied other than `done`.
// ENOSPC, EROFS, EDQUOT, EACCES and their like are faults; then the old file stands, byte for byte, unless
// the fault is of the last step, making the directory durable.
// Not for two writers at a time: the caller holds a lock. Safe from any thread otherwise.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/closed_enum.hpp"
#include "base/result.hpp"
#include "host/root.hpp"

namespace allocd::host {

// Begins the name of a file that is being written; systemd reads no file that begins with a dot, or does
// not end in ".conf". One that is found without a writer was left by a killed run.
inline constexpr std::string_view kLeftoverPrefix = ".zz-allocd-";

struct FileState {
  enum class Kind { absent, regular, symlink, directory, other };
  Kind directory = Kind::absent;  // of DIRECTORY; unless it is `directory`, nothing in it is looked at
  uid_t directory_owner = 0;
  Kind kind = Kind::absent;  // of NAME
  uid_t owner = 0;
  mode_t mode = 0;          // permission bits
  bool is_readable = true;  // whether `text` could be read, of a regular file
  std::string text;
  bool operator==(const FileState&) const = default;
};
inline constexpr base::EnumNames<FileState::Kind, 5> kFileKindNames{
    {"absent", "regular", "symlink", "directory", "other"}};

enum class Applied {
  done,
  changed_since_read,  // not what the caller expected: read it again, and decide again
  file_is_symlink,
  file_is_directory,
  file_is_special,  // a FIFO, a device, a socket
  file_of_another_owner,
  directory_is_symlink,
  directory_is_no_directory,
  directory_of_another_owner,
};
inline constexpr base::EnumNames<Applied, 9> kAppliedNames{
    {"done", "changed_since_read", "file_is_symlink", "file_is_directory", "file_is_special",
     "file_of_another_owner", "directory_is_symlink", "directory_is_no_directory",
     "directory_of_another_owner"}};

// Never blocks on a FIFO, never opens a device.
[[nodiscard]] base::Result<FileState> read_state(const Root& root, std::string_view path);

// `expected` is what the caller decided upon: kind and text must still be so. DIRECTORY is made (0755) when
// it is absent, and taken away again when the file cannot be written into it.
[[nodiscard]] base::Result<Applied> apply_write(const Root& root, std::string_view path,
                                                std::string_view text, mode_t mode,
                                                const FileState& expected);

// `remove_if_empty` also removes DIRECTORY when nothing else is in it: for a directory that we made.
enum class EmptyDirectory { keep, remove_if_empty };
// Removing what was expected to be absent, and is, is done.
[[nodiscard]] base::Result<Applied> apply_remove(const Root& root, std::string_view path,
                                                 const FileState& expected,
                                                 EmptyDirectory empty = EmptyDirectory::remove_if_empty);

// Removes what killed runs left in `directory` (.../BASE/DIRECTORY); how many they were. A directory that is
// absent, is a link or belongs to somebody else holds none.
[[nodiscard]] base::Result<std::size_t> remove_leftovers(const Root& root, std::string_view directory);

}  // namespace allocd::host
