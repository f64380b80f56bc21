// SPDX-License-Identifier: Apache-2.0
#include "ctl/terminal_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

#include "base/text.hpp"

namespace allocd::ctl {

namespace {

struct Range {
  std::uint32_t first, last;
};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, std::uint32_t point) {
  return std::ranges::any_of(ranges,
                             [&](const Range& range) { return point >= range.first && point <= range.last; });
}

// Reorder, hide or break a line: soft hyphen, zero-width characters, bidirectional controls, separators,
// tags.
constexpr std::array kHidden{Range{0xAD, 0xAD},       Range{0x61C, 0x61C},   Range{0x180E, 0x180E},
                             Range{0x200B, 0x200F},   Range{0x2028, 0x202E}, Range{0x2060, 0x206F},
                             Range{0xFEFF, 0xFEFF},   Range{0xFFF9, 0xFFFB}, Range{0xE0000, 0xE0FFF},
                             Range{0xFE00, 0xFE0F},   Range{0x115F, 0x1160}, Range{0x3164, 0x3164},
                             Range{0xF0000, 0x10FFFF}};
constexpr std::array kCombining{Range{0x300, 0x36F},   Range{0x483, 0x489},   Range{0x591, 0x5BD},
                                Range{0x610, 0x61A},   Range{0x64B, 0x65F},   Range{0x900, 0x902},
                                Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF}, Range{0x20D0, 0x20FF},
                                Range{0xFE20, 0xFE2F}};
constexpr std::array kWide{
    Range{0x1100, 0x115F},   Range{0x231A, 0x231B},  Range{0x2329, 0x232A}, Range{0x23E9, 0x23F3},
    Range{0x25FD, 0x25FE},   Range{0x2614, 0x2615},  Range{0x2648, 0x2653}, Range{0x26A1, 0x26A1},
    Range{0x26BD, 0x26BE},   Range{0x2705, 0x2705},  Range{0x274C, 0x274C}, Range{0x2753, 0x2757},
    Range{0x2795, 0x2797},   Range{0x2E80, 0x303E},  Range{0x3041, 0x33FF}, Range{0x3400, 0x4DBF},
    Range{0x4E00, 0x9FFF},   Range{0xA000, 0xA4CF},  Range{0xA960, 0xA97F}, Range{0xAC00, 0xD7A3},
    Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},  Range{0xFF00, 0xFF60}, Range{0xFFE0, 0xFFE6},
    Range{0x1F000, 0x1FAFF}, Range{0x20000, 0x3FFFD}};

struct Character {
  std::string_view bytes;
  std::uint32_t point = 0;
};

// Takes the first character off valid UTF-8.
Character take_character(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  Character character{text.substr(0, size), size == 1 ? lead : lead & (0xFFU >> (size + 1))};
  for (const char c : character.bytes.substr(1)) {
    character.point = character.point << 6U | (static_cast<unsigned char>(c) & 0x3FU);
  }
  text.remove_prefix(character.bytes.size());
  return character;
}

std::size_t columns(std::uint32_t point) {
  if (is_in(kCombining, point)) return 0;
  return is_in(kWide, point) ? 2 : 1;
}

std::string_view ellipsis(bool utf8) {
  return utf8 ? "…" : "~";
}

// As much of the start of `text` as fits `width` columns.
std::string_view head(std::string_view text, std::size_t width) {
  std::size_t used = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t before = rest.size();
    used += columns(take_character(rest).point);
    if (used > width) return text.substr(0, text.size() - before);
  }
  return text;
}

std::string_view tail(std::string_view text, std::size_t width) {
  while (display_width(text) > width) take_character(text);
  return text;
}

}  // namespace

std::string printable(std::string_view text, bool utf8) {
  const std::string safe = base::escape_for_terminal(text);
  std::string out;
  for (std::string_view rest = safe; !rest.empty();) {
    const auto [bytes, point] = take_character(rest);
    if (point < 0x80 || (utf8 && !is_in(kHidden, point))) {
      out.append(bytes);
    } else {
      fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}", point);
    }
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) width += columns(take_character(text).point);
  return width;
}

std::string cut_end(std::string_view text, std::size_t width, bool utf8) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  return std::string(head(text, width - 1)).append(ellipsis(utf8));
}

std::string cut_middle(std::string_view text, std::size_t width, bool utf8) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  const std::size_t back = (width - 1) / 2;
  const auto front = head(text, width - 1 - back);
  return std::string(front).append(ellipsis(utf8)).append(tail(text.substr(front.size()), back));
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  width = std::max<std::size_t>(width, 2);  // a wide character must fit
  for (text = base::trim(text); display_width(text) > width; text = base::trim(text)) {
    auto line = head(text, width);
    // A blank right behind the line is as good a place as one inside it.
    const auto blank = text.substr(0, line.size() + 1).rfind(' ');
    if (blank != std::string_view::npos && blank > 0) line = text.substr(0, blank);
    lines.emplace_back(base::trim(line));
    text.remove_prefix(line.size());
  }
  if (!text.empty() || lines.empty()) lines.emplace_back(text);
  return lines;
}

std::vector<std::string> wrap_words(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  for (auto word = base::take_word(text); !word.empty(); word = base::take_word(text)) {
    const bool fits = !lines.empty() && display_width(lines.back()) + 1 + display_width(word) <= width;
    if (fits) {
      lines.back().append(" ").append(word);
    } else {
      lines.emplace_back(word);
    }
  }
  if (lines.empty()) lines.emplace_back();
  return lines;
}

}  // namespace allocd::ctl
