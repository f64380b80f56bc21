// SPDX-License-Identifier: Apache-2.0
// UTF-8 as systemd judges it: besides surrogates and overlong forms it refuses the noncharacters
// (U+FDD0..U+FDEF and the last two of each plane). A line, a name or a value that is not valid by this rule
// is refused whole. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace allocd::unitfile {

[[nodiscard]] bool is_valid_character(char32_t character);
[[nodiscard]] bool is_valid_utf8(std::string_view text);

// Encodes without judging: an escape such as \ud800 gives bytes that is_valid_utf8 then refuses.
void append_utf8(std::string& out, char32_t character);

}  // namespace allocd::unitfile
