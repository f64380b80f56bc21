// SPDX-License-Identifier: Apache-2.0
// Paths as text, by systemd's rules for paths in settings. Nothing is looked up. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace allocd::unitfile {

// Absolute, no "//", no "." or ".." part, no part and no whole that is too long for the kernel.
[[nodiscard]] bool is_normalized_path(std::string_view path);

// Without doubled and trailing slashes and "." parts. Nothing for one systemd refuses in a setting: relative,
// with a ".." part, or too long.
[[nodiscard]] std::optional<std::string> simplify_path(std::string_view path);

[[nodiscard]] std::string_view directory_of(std::string_view path);

}  // namespace allocd::unitfile
