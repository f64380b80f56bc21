// SPDX-License-Identifier: Apache-2.0
#include "settings/source_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "settings/value_error.hpp"

namespace allocd::settings {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string without_invisibles(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool ends_line = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if (!ends_line) clean += text[i];
  }
  return clean;
}

enum class Flaw { invalid_utf8, nul, carriage_return, control, tab, long_line };
constexpr std::size_t kFlaws = 6;

struct Finding {
  Place first;
  std::string shown;
  int lines = 0;
  int last_line = 0;
};

class TextCheck {
 public:
  explicit TextCheck(const SourceLines& source) : source_(source) {}

  std::vector<TextError> run() {
    for (int number = 1; number <= source_.count(); ++number) check_line(number);
    std::vector<TextError> errors;
    for (std::size_t i = 0; i < kFlaws; ++i) {
      if (findings_[i].lines > 0) errors.push_back(describe(static_cast<Flaw>(i), findings_[i]));
    }
    return errors;
  }

 private:
  void check_line(int number) {
    const auto line = source_.line(number);
    if (line.size() == kLongestLine) note(Flaw::long_line, number, 0, "");
    check_indentation(number, line);
    for (std::size_t at = 0; at < line.size();) {
      const auto rest = line.substr(at);
      const auto length = character_length(rest);
      check_character(number, at, rest.substr(0, length));
      at += length;
    }
  }

  // A tab before a comment or in an empty line moves nothing; where yaml-cpp minds it, it says so itself.
  void check_indentation(int number, std::string_view line) {
    const auto first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos || line[first] == '#') return;
    if (const auto tab = line.substr(0, first).find('\t'); tab != std::string_view::npos) {
      note(Flaw::tab, number, tab, "");
    }
  }

  void check_character(int number, std::size_t at, std::string_view character) {
    if (!starts_with_valid_character(character)) {
      // The last character of a line that was cut short is not to blame.
      if (at + 4 > kLongestLine) return;
      return note(Flaw::invalid_utf8, number, at, base::escape_for_terminal(character));
    }
    if (character == "\t" || base::escape_for_terminal(character) == character) return;
    if (character[0] == '\0') return note(Flaw::nul, number, at, "");
    if (character == "\r") return note(Flaw::carriage_return, number, at, "");
    note(Flaw::control, number, at, base::escape_for_terminal(character));
  }

  void note(Flaw flaw, int number, std::size_t at, std::string shown) {
    auto& finding = findings_[static_cast<std::size_t>(flaw)];
    if (finding.lines == 0) {
      finding.first = source_.place(number, at);
      finding.shown = std::move(shown);
    }
    if (finding.last_line != number) ++finding.lines;
    finding.last_line = number;
  }

  static TextError describe(Flaw flaw, const Finding& finding) {
    const std::string lines = finding.lines > 1 ? fmt::format(" ({} lines are affected)", finding.lines) : "";
    switch (flaw) {
      case Flaw::invalid_utf8:
        return {finding.first, fmt::format("byte {} is not UTF-8", finding.shown),
                "save the file as UTF-8" + lines};
      case Flaw::nul:
        return {finding.first, "NUL byte",
                "this is not a text file, or it is UTF-16: save it as UTF-8" + lines};
      case Flaw::carriage_return:
        return {finding.first, "carriage return without a line feed", "end lines with LF or CRLF" + lines};
      case Flaw::control:
        return {finding.first, fmt::format("control character {}", finding.shown), "remove it" + lines};
      case Flaw::tab:
        return {finding.first, "tab in the indentation", "YAML indents with spaces" + lines};
      case Flaw::long_line:
        break;
    }
    return {finding.first, fmt::format("line of {} bytes or more", kLongestLine), "break the line" + lines};
  }

  const SourceLines& source_;
  std::array<Finding, kFlaws> findings_;
};

}  // namespace

SourceLines::SourceLines(std::string_view text) : text_(without_invisibles(text)) {
  std::string_view rest = text_;
  while (!rest.empty()) lines_.push_back(base::take_line(rest));
}

std::string_view SourceLines::line(int number) const {
  if (number < 1 || number > count()) return {};
  return lines_[static_cast<std::size_t>(number) - 1].substr(0, kLongestLine);
}

Place SourceLines::place(int line_number, std::size_t byte) const {
  const int number = std::clamp(line_number, 1, std::max(count(), 1));
  const auto text = line(number);
  const auto before = number == line_number ? text.substr(0, byte) : text;
  return {number, static_cast<int>(count_characters(before)) + 1};
}

std::vector<TextError> check_text(const SourceLines& source) {
  return TextCheck(source).run();
}

}  // namespace allocd::settings
