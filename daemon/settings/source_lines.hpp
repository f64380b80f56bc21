// SPDX-License-Identifier: Apache-2.0
// The text of one file, before YAML: its lines for carets, and what must be refused byte by byte.
//
// A byte order mark and the CR of CRLF are taken off (they are harmless and invisible). NUL and other
// control bytes, invalid UTF-8, tabs in the indentation, overlong lines and overlong files are problems:
// yaml-cpp passes some of them on silently. Columns count characters, from 1. Pure; safe from any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "settings/load.hpp"

namespace allocd::settings {

inline constexpr std::size_t kLargestFile = std::size_t{1} << 20U;
inline constexpr std::size_t kLongestLine = 4096;  // bytes; bounds what one problem can quote

// A place in a file; lines and columns count from 1, 0 means "the file as a whole".
struct Place {
  int line = 0;
  int column = 0;
  auto operator<=>(const Place&) const = default;
};

class SourceLines {
 public:
  // Keeps its own copy of `text`, without byte order mark and CR before LF.
  explicit SourceLines(std::string_view text);
  // Lines are views into the text.
  SourceLines(const SourceLines&) = delete;
  SourceLines& operator=(const SourceLines&) = delete;

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] int count() const { return static_cast<int>(lines_.size()); }
  // Without its newline, cut at kLongestLine; "" outside the file.
  [[nodiscard]] std::string_view line(int number) const;
  // The place of the `byte`th byte (from 0) of a line, moved into the file when it is outside.
  [[nodiscard]] Place place(int line, std::size_t byte) const;

 private:
  std::string text_;
  std::vector<std::string_view> lines_;
};

// What was found wrong with the bytes of a file; each kind is told once, at its first place.
struct TextError {
  Place place;
  std::string message;
  std::string hint;
};
[[nodiscard]] std::vector<TextError> check_text(const SourceLines& source);

}  // namespace allocd::settings
