// SPDX-License-Identifier: Apache-2.0
#include "settings/value_error.hpp"

#include <cstddef>

#include "base/text.hpp"

namespace allocd::settings {

namespace {

constexpr std::size_t kLongestQuote = 60;  // characters

std::size_t announced_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  if (byte < 0xC0) return 1;
  if (byte < 0xE0) return 2;
  return byte < 0xF0 ? 3 : 4;
}

}  // namespace

bool starts_with_valid_character(std::string_view text) {
  if (static_cast<unsigned char>(text[0]) < 0x80) return true;
  const auto character = text.substr(0, announced_length(text[0]));
  return character.size() == announced_length(text[0]) && base::to_valid_utf8(character) == character;
}

std::size_t character_length(std::string_view text) {
  return starts_with_valid_character(text) ? announced_length(text[0]) : 1;
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); text.remove_prefix(character_length(text))) ++count;
  return count;
}

std::string quoted(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t count = 0; end < text.size() && count < kLongestQuote; ++count) {
    end += character_length(text.substr(end));
  }
  const char* tail = end < text.size() ? "..." : "";
  return "'" + base::escape_for_terminal(text.substr(0, end)) + tail + "'";
}

}  // namespace allocd::settings
