// SPDX-License-Identifier: Apache-2.0
#include "unitfile/unit_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "unitfile/utf8.hpp"

namespace allocd::unitfile {

namespace {

constexpr std::string_view kBlanks = " \t\n\r";
constexpr std::string_view kLineEnds("\n\r\0", 3);
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Takes the first line off `rest`. One line end is LF, CR or both in either order, then perhaps a NUL; or a
// NUL.
std::string_view take_unit_line(std::string_view& rest) {
  const auto length = std::min(rest.find_first_of(kLineEnds), rest.size());
  const auto line = rest.substr(0, length);
  std::size_t end = length;
  unsigned seen = 0;
  constexpr unsigned kNulSeen = 4;
  while (end < rest.size() && (seen & kNulSeen) == 0) {
    const auto kind = kLineEnds.find(rest[end]);
    if (kind == std::string_view::npos || (seen & (1U << kind)) != 0) break;
    seen |= 1U << kind;
    ++end;
  }
  rest.remove_prefix(end);
  return line;
}

bool is_comment(std::string_view line) {
  const auto first = line.find_first_not_of(kBlanks);
  return first != std::string_view::npos && (line[first] == '#' || line[first] == ';');
}

// Whether the last backslash is not itself escaped by one before it.
bool ends_in_escape(std::string_view line) {
  const auto last = line.find_last_not_of('\\');
  const std::size_t backslashes = last == std::string_view::npos ? line.size() : line.size() - last - 1;
  return backslashes % 2 == 1;
}

bool is_safe_section_name(std::string_view name) {
  return std::ranges::none_of(name, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F || c == '"' || c == '\'' || c == '\\';
  });
}

class Parser {
 public:
  UnitText parse(std::string_view text) {
    while (!text.empty() && out_.is_whole) {
      ++line_;
      take_line(take_unit_line(text));
    }
    if (out_.is_whole && is_continued_) take_logical_line();
    return std::move(out_);
  }

 private:
  void take_line(std::string_view line) {
    if (line.size() >= kLongestLine) return stop(line_, "the line is too long");
    if (is_comment(line)) return;  // also between the lines of a continuation
    if (!mark_seen_ && line.starts_with(kByteOrderMark)) {
      mark_seen_ = true;
      line.remove_prefix(kByteOrderMark.size());
    }
    if (!is_continued_) {
      logical_.clear();
      start_ = line_;
    }
    if (logical_.size() + line.size() > kLongestLine) return stop(start_, "the continued line is too long");
    logical_ += line;
    is_continued_ = ends_in_escape(logical_);
    if (is_continued_) {
      logical_.back() = ' ';
    } else {
      take_logical_line();
    }
  }

  void take_logical_line() {
    is_continued_ = false;
    const auto line = strip(logical_);
    if (line.empty()) return;
    if (!is_valid_utf8(line)) return stop(start_, "not valid UTF-8");
    if (line.front() == '[') return take_section(line);
    if (!in_section_) return report("an assignment outside of any section");
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) return report("no '='");
    if (equals == 0) return report("no key before '='");
    out_.assignments.push_back({.section = section_,
                                .key = std::string(strip(line.substr(0, equals))),
                                .value = std::string(strip(line.substr(equals + 1))),
                                .line = start_});
  }

  void take_section(std::string_view line) {
    if (line.back() != ']') return stop(start_, "a section header without ']'");
    const auto name = line.substr(1, line.size() - 2);
    if (!is_safe_section_name(name)) return stop(start_, "bad characters in a section header");
    section_ = name;
    in_section_ = true;
  }

  void report(std::string what) { out_.problems.push_back({start_, std::move(what)}); }
  void stop(std::uint32_t line, std::string_view what) {
    out_.problems.push_back({line, fmt::format("{}; systemd reads no further", what)});
    out_.is_whole = false;
  }

  UnitText out_;
  std::string section_;
  std::string logical_;
  std::uint32_t line_ = 0;
  std::uint32_t start_ = 0;
  bool in_section_ = false;
  bool is_continued_ = false;
  bool mark_seen_ = false;
};

}  // namespace

std::string_view strip(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

UnitText parse_unit_text(std::string_view text) {
  return Parser().parse(text);
}

}  // namespace allocd::unitfile
