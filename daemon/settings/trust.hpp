// SPDX-License-Identifier: Apache-2.0
// Whether nobody but root can say what the configuration says. What is enforced runs inside other services,
// so whoever can write the configuration can become any of them.
//
// Each file and each directory above it must belong to `owner` and be writable by nobody else; the sticky
// bit of /tmp makes no difference. Symbolic links are followed by hand, so that every directory that could
// redirect one is looked at as well. Ask after loading: a path that passes could not have been exchanged in
// between. Reads only. Safe from any thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/closed_enum.hpp"
#include "base/result.hpp"
#include "host/root.hpp"

namespace allocd::settings {

enum class Distrust { foreign_owner, group_writable, world_writable, not_a_file, too_many_links };
inline constexpr base::EnumNames<Distrust, 5> kDistrustNames{
    {"foreign_owner", "group_writable", "world_writable", "not_a_file", "too_many_links"}};

struct Untrusted {
  Distrust reason = Distrust::foreign_owner;
  std::string path;  // the file or directory that is to blame
  std::string file;  // the configuration file that led to it
  // "/etc/allocd is writable by everybody"
  [[nodiscard]] std::string sentence() const;
  // "chmod go-w /etc/allocd", or "" when there is no one command for it.
  [[nodiscard]] std::string next_step() const;
};

// The first thing that is wrong, or nothing. `files` are absolute paths, of files or directories. A path
// that cannot be looked at is a fault: what was not seen is not trusted.
[[nodiscard]] base::Result<std::optional<Untrusted>> check_trusted(const host::Root& root,
                                                                   const std::vector<std::string>& files,
                                                                   uid_t owner = 0);

}  // namespace allocd::settings
