// SPDX-License-Identifier: Apache-2.0
// Writing values the way systemd reads them back. Pure; any thread.
//
// Any value comes back as it was, except that no form can carry a NUL (it is left out), and that systemd
// takes only valid UTF-8 (utf8.hpp): a variable with other bytes cannot be set, and in an EnvironmentFile=
// they cost the whole file. Check the value first.
#pragma once

#include <string>
#include <string_view>

namespace allocd::unitfile {

// One line `Environment="NAME=value"` without its newline: quotes, backslashes, control characters and
// '%' escaped (systemd.syntax(7), systemd.exec(5)); '$' has no meaning there.
[[nodiscard]] std::string render_environment_line(std::string_view name, std::string_view value);

// One line `NAME="value"` of an EnvironmentFile= without its newline; a newline in the value is kept inside
// the quotes, as systemd allows.
[[nodiscard]] std::string render_environment_file_line(std::string_view name, std::string_view value);

// Text as the value of a setting that expands specifiers: '%' doubled.
[[nodiscard]] std::string escape_specifiers(std::string_view text);

// A path as the value of EnvironmentFile=, which is a glob(7) pattern: '%' doubled, and `*?[\` escaped. A
// unit's name may have backslashes (\x2d), so may a path made from it. The path has no blanks or line ends at
// its ends.
[[nodiscard]] std::string escape_file_pattern(std::string_view path);

}  // namespace allocd::unitfile
