// SPDX-License-Identifier: Apache-2.0
// A file of our own directories, replaced as a whole: temporary file, fsync, rename, fsync of the directory.
// A killed run leaves the old file, and a temporary one that the next run writes over. For drop-ins there is
// owned_file.hpp, which trusts nothing it finds.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "host/root.hpp"

namespace allocd::host {

[[nodiscard]] base::Result<void> write_whole_file(const host::Root& root, const std::string& directory,
                                                  const std::string& name, std::string_view text,
                                                  mode_t mode);

}  // namespace allocd::host
