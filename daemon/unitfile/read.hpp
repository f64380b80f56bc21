// SPDX-License-Identifier: Apache-2.0
// Reads the files that make up a unit's environment.
//
// Follows symbolic links, as systemd does, but reads regular files only (and takes the null device for the
// empty file it stands for): nothing here blocks on a FIFO or wakes a device. A file that cannot be read is a
// doubt or an EnvironmentFileText outcome, never a failure of the whole. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "host/root.hpp"
#include "unitfile/environment.hpp"
#include "unitfile/machine.hpp"

namespace allocd::unitfile {

// A longer file is not read: a doubt.
inline constexpr std::size_t kLargestSource = std::size_t{4} << 20U;

// `fragment_path` and `drop_in_paths` are systemd's own FragmentPath and DropInPaths, from the bus; `machine`
// is what read_machine gives. process_one_environment is the caller's to add.
[[nodiscard]] UnitSources read_sources(const host::Root& root, std::string_view unit_name,
                                       const std::string& fragment_path,
                                       const std::vector<std::string>& drop_in_paths, const Machine& machine);

// Reads what list_environment_files(sources) names and is not there yet.
void read_environment_files(const host::Root& root, UnitSources& sources);

[[nodiscard]] EnvironmentFileText read_environment_file(const host::Root& root, const std::string& pattern);

// Existing paths that match a glob(7) pattern, as glob(3) without flags gives them; at most a thousand.
[[nodiscard]] std::vector<std::string> read_file_matches(const host::Root& root, std::string_view pattern);

}  // namespace allocd::unitfile
