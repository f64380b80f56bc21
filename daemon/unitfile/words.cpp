// SPDX-License-Identifier: Apache-2.0
#include "unitfile/words.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "unitfile/utf8.hpp"

namespace allocd::unitfile {

namespace {

constexpr std::string_view kSeparators = " \t\n\r";

std::optional<unsigned> digit(char c, unsigned base) {
  unsigned value = base;
  if (c >= '0' && c <= '9') value = static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') value = static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') value = static_cast<unsigned>(c - 'A') + 10;
  if (value >= base) return std::nullopt;
  return value;
}

// Exactly `count` digits off `rest`; nothing for fewer, and for a value of 0, which would be a NUL.
std::optional<std::uint32_t> take_digits(std::string_view& rest, std::size_t count, unsigned base) {
  if (rest.size() < count) return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : rest.substr(0, count)) {
    const auto next = digit(c, base);
    if (!next) return std::nullopt;
    value = value * base + *next;
  }
  if (value == 0) return std::nullopt;
  rest.remove_prefix(count);
  return value;
}

bool take_byte(std::string_view& rest, std::string& out, std::size_t count, unsigned base) {
  const auto value = take_digits(rest, count, base);
  if (!value || *value > 0xFF) return false;
  out += static_cast<char>(*value);
  return true;
}

bool take_character(std::string_view& rest, std::string& out, std::size_t count) {
  const auto value = take_digits(rest, count, 16);
  // The short form lets surrogates through here; the value is then refused for not being UTF-8.
  if (!value || (count == 8 && !is_valid_character(*value))) return false;
  append_utf8(out, *value);
  return true;
}

}  // namespace

bool take_c_escape(std::string_view& rest, std::string& out) {
  constexpr std::string_view kLetters = "abfnrtv\\\"'s";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"' ";
  if (rest.empty()) return false;
  const char c = rest.front();
  if (const auto known = kLetters.find(c); known != std::string_view::npos) {
    out += kMeanings[known];
    rest.remove_prefix(1);
    return true;
  }
  if (c >= '0' && c <= '7') return take_byte(rest, out, 3, 8);
  rest.remove_prefix(1);
  if (c == 'x') return take_byte(rest, out, 2, 16);
  if (c == 'u') return take_character(rest, out, 4);
  if (c == 'U') return take_character(rest, out, 8);
  return false;
}

char Words::take() {
  const char c = rest_.front();
  rest_.remove_prefix(1);
  return c;
}

bool Words::take_escape(std::string& word) {
  if (rest_.empty()) return false;
  if (escapes_ == Escapes::c_style) return take_c_escape(rest_, word);
  word += take();
  return true;
}

Words::Step Words::next(std::string& word) {
  word.clear();
  rest_.remove_prefix(std::min(rest_.find_first_not_of(kSeparators), rest_.size()));
  if (rest_.empty()) return Step::end;
  char quote = '\0';
  while (!rest_.empty()) {
    const char c = take();
    if (c == '\\') {
      if (!take_escape(word)) {
        rest_ = {};
        return Step::malformed;
      }
    } else if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        word += c;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (kSeparators.find(c) != std::string_view::npos) {
      return Step::word;
    } else {
      word += c;
    }
  }
  return quote == '\0' ? Step::word : Step::malformed;
}

}  // namespace allocd::unitfile
