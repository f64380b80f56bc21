// SPDX-License-Identifier: Apache-2.0
#include "unitfile/utf8.hpp"

#include <cstddef>

namespace allocd::unitfile {

namespace {

unsigned byte_at(std::string_view text, std::size_t index) {
  return static_cast<unsigned char>(text[index]);
}

// Bytes of the character that starts `text`, by its first byte; 0 when none starts so.
std::size_t announced_length(unsigned first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return 2;
  if (first >= 0xE0 && first < 0xF0) return 3;
  if (first >= 0xF0 && first < 0xF5) return 4;
  return 0;
}

// The length of the valid character at the start of `text`, or 0.
std::size_t valid_length(std::string_view text) {
  constexpr unsigned kFirstMask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const std::size_t length = announced_length(byte_at(text, 0));
  if (length == 0 || length > text.size()) return 0;
  char32_t character = byte_at(text, 0) & kFirstMask[length];
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(text, i) & 0xC0U) != 0x80) return 0;
    character = (character << 6U) | (byte_at(text, i) & 0x3FU);
  }
  return character >= kSmallest[length] && is_valid_character(character) ? length : 0;
}

char tail(char32_t character, unsigned shift) {
  return static_cast<char>(0x80U | ((character >> shift) & 0x3FU));
}

}  // namespace

bool is_valid_character(char32_t character) {
  if (character > 0x10FFFF) return false;
  if (character >= 0xD800 && character <= 0xDFFF) return false;
  if (character >= 0xFDD0 && character <= 0xFDEF) return false;
  return (character & 0xFFFEU) != 0xFFFE;
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = valid_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void append_utf8(std::string& out, char32_t character) {
  if (character < 0x80) {
    out += static_cast<char>(character);
  } else if (character < 0x800) {
    out += static_cast<char>(0xC0U | (character >> 6U));
    out += tail(character, 0);
  } else if (character < 0x10000) {
    out += static_cast<char>(0xE0U | (character >> 12U));
    out += tail(character, 6);
    out += tail(character, 0);
  } else {
    out += static_cast<char>(0xF0U | (character >> 18U));
    out += tail(character, 12);
    out += tail(character, 6);
    out += tail(character, 0);
  }
}

}  // namespace allocd::unitfile
