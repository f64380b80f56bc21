// SPDX-License-Identifier: Apache-2.0
// Text as a terminal shows it: made harmless, measured in columns, cut and wrapped.
//
// Unit names, paths and process names are other people's bytes. Whatever a terminal would obey, reorder or
// hide comes out as an escape. Widths are those of Unicode's East Asian Width (wide = 2 columns) and of
// combining marks (0). No locale. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace allocd::ctl {

// Control, bidirectional and zero-width characters and broken UTF-8 as \xNN or \u{...}; without `utf8`
// everything beyond ASCII. Applying it twice changes nothing more.
[[nodiscard]] std::string printable(std::string_view text, bool utf8);

// The next three take printable() text.
[[nodiscard]] std::size_t display_width(std::string_view text);
// At most `width` columns, with "…" ("~" in ASCII) where something was taken out.
[[nodiscard]] std::string cut_end(std::string_view text, std::size_t width, bool utf8);
[[nodiscard]] std::string cut_middle(std::string_view text, std::size_t width, bool utf8);

// Lines of at most `width` columns, broken at blanks where there are any.
[[nodiscard]] std::vector<std::string> wrap(std::string_view text, std::size_t width);
// Broken at blanks alone: a word that is wider than `width`, such as a path, stays whole to be copied.
[[nodiscard]] std::vector<std::string> wrap_words(std::string_view text, std::size_t width);

}  // namespace allocd::ctl
