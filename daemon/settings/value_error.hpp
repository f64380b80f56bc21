// SPDX-License-Identifier: Apache-2.0
// Why the text of one value was refused, before anyone knows in which file it stands: the message is put
// behind the name of the key, the hint says what to write instead (may be empty).
// Plain value types and text functions shared by the readers of this folder. Pure; safe from any thread.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace allocd::settings {

struct ValueError {
  std::string message;
  std::string hint;
  bool operator==(const ValueError&) const = default;
};

[[nodiscard]] inline std::unexpected<ValueError> refuse(std::string message, std::string hint = {}) {
  return std::unexpected(ValueError{std::move(message), std::move(hint)});
}

// 'text' for a message: printable, and cut where a person stops reading.
[[nodiscard]] std::string quoted(std::string_view text);

// Bytes of the first character of `text`: a whole UTF-8 sequence, or 1 for a byte that starts none.
// Every column this folder counts is counted with it. `text` must not be empty.
[[nodiscard]] std::size_t character_length(std::string_view text);
[[nodiscard]] bool starts_with_valid_character(std::string_view text);

// Characters of `text`, in the sense above.
[[nodiscard]] std::size_t count_characters(std::string_view text);

}  // namespace allocd::settings
