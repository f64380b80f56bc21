// SPDX-License-Identifier: Apache-2.0
// Follows a path component by component, as a process whose root is `root_directory` would, and remembers
// everything it passed: for trust, every directory and link on the way counts, not only the file.
//
// Done by hand because openat2(2) with RESOLVE_IN_ROOT is closed by RestrictSUIDSGID=. Nothing is opened
// for reading on the way (O_PATH), so that a device or a FIFO is never woken. Bounded: 40 links, as the
// kernel. Safe from any thread.
#pragma once

#include <sys/stat.h>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "host/root.hpp"

namespace allocd::preflight {

enum class WalkOutcome {
  absent,
  denied,
  not_followable,  // too many links, a file where a directory should be, a name too long
};

struct Step {
  std::string path;  // as it is inside `root_directory`
  struct stat status{};
};

struct Walked {
  std::string path;          // every link resolved
  struct stat status{};      // of what the path leads to
  std::vector<Step> passed;  // from the root down: directories and links
  base::UniqueFd parent;
  std::string name;  // in `parent`; "" when the path leads to a directory that was entered
};

// `path` is absolute inside `root_directory`, "" or "/" being the tree's own root.
[[nodiscard]] std::expected<Walked, WalkOutcome> read_path(const host::Root& root,
                                                           std::string_view root_directory,
                                                           std::string_view path);

// Opens the regular file a walk led to, without ever waiting for it. EINVAL when it is no regular file, or no
// longer the one that was seen.
[[nodiscard]] base::Result<base::UniqueFd> open_regular(const Walked& walked);

}  // namespace allocd::preflight
