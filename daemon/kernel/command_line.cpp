// SPDX-License-Identifier: Apache-2.0
#include "kernel/command_line.hpp"

#include <algorithm>

namespace allocd::kernel {

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// Takes the next word off `text`, which does not start with a blank.
std::string take_quoted_word(std::string_view& text) {
  std::string word;
  bool is_quoted = false;
  std::size_t used = 0;
  for (; used < text.size() && (is_quoted || !is_blank(text[used])); ++used) {
    if (text[used] == '"') {
      is_quoted = !is_quoted;
    } else {
      word += text[used];
    }
  }
  text.remove_prefix(used);
  return word;
}

char fold(char c) {
  return c == '-' ? '_' : c;
}

}  // namespace

std::optional<std::vector<std::string>> parse_command_line(std::string_view text) {
  if (!text.ends_with('\n')) return std::nullopt;
  text.remove_suffix(1);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\t'; };
  if (std::ranges::any_of(text, is_control)) return std::nullopt;
  std::vector<std::string> words;
  for (;;) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    if (text.empty()) return words;
    auto word = take_quoted_word(text);
    if (word == "--") return words;
    words.push_back(std::move(word));
  }
}

bool sets_parameter(std::string_view word, std::string_view name) {
  const auto key = word.substr(0, word.find('='));
  return std::ranges::equal(key, name, [](char a, char b) { return fold(a) == fold(b); });
}

}  // namespace allocd::kernel
