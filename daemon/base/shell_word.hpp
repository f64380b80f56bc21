// SPDX-License-Identifier: Apache-2.0
// Text as one word of a shell's command line, for commands that people are shown to paste. Pure.
#pragma once

#include <string>
#include <string_view>

namespace allocd::base {

// Quoted where it must be: unit names may have backslashes, cgroup paths anything.
[[nodiscard]] std::string as_shell_word(std::string_view text);

}  // namespace allocd::base
