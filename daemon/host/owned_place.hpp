// SPDX-License-Identifier: Apache-2.0
// The handles behind a path of owned_file.hpp, and what is found there without following a link.
// Private to owned_file.cpp. Outcomes are those of Applied; `done` means "go on".
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "host/owned_file.hpp"

namespace allocd::host {

// "/etc/systemd/system/vllm.service.d/zz-allocd.conf" in its three parts.
struct OwnedPath {
  std::string whole;
  std::string base;
  std::string directory;
  std::string name;
};
// Refuses a relative path, a part that is empty, "." or "..", and a NUL: no unit name makes it lead
// elsewhere.
[[nodiscard]] base::Result<OwnedPath> split_owned_path(std::string_view path);

struct OwnedPlace {
  base::UniqueFd base;
  base::UniqueFd directory;  // not open when the directory is absent
};

// Opens both, so far as they are there. Not `done`: DIRECTORY is nothing of ours.
[[nodiscard]] base::Result<Applied> open_place(const Root& root, const OwnedPath& path, OwnedPlace& place);

// Makes DIRECTORY with mode 0755 and opens it. For a moment the umask of the process is another.
[[nodiscard]] base::Result<Applied> make_directory(const OwnedPath& path, OwnedPlace& place);
// Makes a new DIRECTORY durable.
[[nodiscard]] base::Result<void> settle_directory(const OwnedPath& path, const OwnedPlace& place);

// The NAME part of FileState; all of it when `directory` is not open.
[[nodiscard]] base::Result<FileState> read_file_state(int directory, const OwnedPath& path);

[[nodiscard]] FileState::Kind kind_of(mode_t mode);

}  // namespace allocd::host
