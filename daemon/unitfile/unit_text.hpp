// SPDX-License-Identifier: Apache-2.0
// A unit file, or a drop-in of one, as systemd reads it: sections and the assignments in them, each with the
// line it starts on. Also right for other files of that syntax (quadlets).
//
// Owned here: line ends (LF, CR, NUL and their pairs), comments, continuation lines, blanks around keys and
// values, the byte order mark. A value is what stands after the '=': quotes, escapes and specifiers are its
// reader's (words.hpp, specifiers.hpp). Lines systemd warns about and skips are `problems`. At a line it
// cannot stand it reads no further: what came before is in force, the rest is not, and `is_whole` is false.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace allocd::unitfile {

struct Assignment {
  std::string section;  // without its brackets
  std::string key;
  std::string value;
  std::uint32_t line = 0;  // 1-based; where it starts, when it runs over several
  bool operator==(const Assignment&) const = default;
};

struct LineProblem {
  std::uint32_t line = 0;
  std::string what;
  bool operator==(const LineProblem&) const = default;
};

struct UnitText {
  std::vector<Assignment> assignments;
  std::vector<LineProblem> problems;
  bool is_whole = true;
};

// A line of this many bytes, also one put together from continuations, makes systemd give the file up.
inline constexpr std::size_t kLongestLine = std::size_t{1} << 20U;

[[nodiscard]] UnitText parse_unit_text(std::string_view text);

// Blanks as systemd strips them: space, tab, CR, LF; base::trim knows others.
[[nodiscard]] std::string_view strip(std::string_view text);

}  // namespace allocd::unitfile
