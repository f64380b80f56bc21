// SPDX-License-Identifier: Apache-2.0
// Text and number helpers without locale, without exceptions, without allocation where that is possible.
// Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace allocd::base {

[[nodiscard]] std::string_view trim(std::string_view text);

// Splits at every `separator`; "a::b" gives {"a", "", "b"}. Views point into `text`.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

// The whole of `text` as a number in base 10 or 16, or nothing: no sign, no space, no overflow.
[[nodiscard]] std::optional<std::uint64_t> parse_u64(std::string_view text, int base = 10);

// Takes the first blank-separated word off `text` and returns it ("" at the end).
std::string_view take_word(std::string_view& text);

// Takes the first line (without its newline) off `text` and returns it.
std::string_view take_line(std::string_view& text);

// fnmatch(3) with FNM_NOESCAPE and '/' as any other character: `*`, `?` and `[...]`. A backslash is itself,
// as in systemd's own patterns: unit names are full of \x2d.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text);
[[nodiscard]] bool has_glob_characters(std::string_view text);

// The candidate nearest to `word` by edit distance, if it is near enough to be a likely slip of the pen.
[[nodiscard]] std::optional<std::string_view> nearest_word(std::string_view word,
                                                           std::span<const std::string_view> candidates);

// Printable form for terminals and logs: control characters and invalid UTF-8 become \xNN.
[[nodiscard]] std::string escape_for_terminal(std::string_view text);

// Replaces every byte that is not part of valid UTF-8 by U+FFFD.
[[nodiscard]] std::string to_valid_utf8(std::string_view text);

}  // namespace allocd::base
