// SPDX-License-Identifier: Apache-2.0
#include "kernel/attribute.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace allocd::kernel {

namespace {

bool is_printable(char c) {
  return (c >= 0x20 && c < 0x7F) || c == '\t';
}

std::optional<unsigned> parse_id(std::string_view text) {
  const auto id = base::parse_u64(text);
  if (!id || *id > kMaxId) return std::nullopt;
  return static_cast<unsigned>(*id);
}

// "4" or "4-7", which must lie above what the list holds already.
bool append_range(std::string_view text, std::vector<unsigned>& ids) {
  const auto dash = text.find('-');
  const auto first = parse_id(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_id(text.substr(dash + 1));
  if (!first || !last || *last < *first || (!ids.empty() && *first <= ids.back())) return false;
  for (unsigned id = *first; id <= *last; ++id) ids.push_back(id);
  return true;
}

}  // namespace

std::optional<std::string_view> parse_line(std::string_view text) {
  if (!text.ends_with('\n')) return std::nullopt;
  text.remove_suffix(1);
  if (!std::ranges::all_of(text, is_printable)) return std::nullopt;
  return base::trim(text);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  const auto line = parse_line(text);
  return line ? base::parse_u64(*line) : std::nullopt;
}

std::optional<bool> parse_switch(std::string_view text) {
  const auto number = parse_number(text);
  if (!number || *number > 1) return std::nullopt;
  return *number == 1;
}

std::optional<Selection> parse_selection(std::string_view text) {
  const auto line = parse_line(text);
  if (!line || line->empty()) return std::nullopt;
  Selection selection;
  bool is_chosen = false;
  std::string_view rest = *line;
  for (auto word = base::take_word(rest); !word.empty(); word = base::take_word(rest)) {
    const bool is_bracketed = word.size() > 2 && word.front() == '[' && word.back() == ']';
    if (is_bracketed) {
      if (is_chosen) return std::nullopt;
      is_chosen = true;
      word = word.substr(1, word.size() - 2);
      selection.chosen = word;
    }
    if (word.find_first_of("[]") != std::string_view::npos) return std::nullopt;
    selection.options.push_back(word);
  }
  if (is_chosen) return selection;
  if (selection.options.size() != 1) return std::nullopt;
  selection.chosen = selection.options.front();
  selection.options.clear();
  return selection;
}

std::optional<std::vector<unsigned>> parse_id_list(std::string_view text) {
  const auto line = parse_line(text);
  return line ? parse_ids(*line) : std::nullopt;
}

std::optional<std::vector<unsigned>> parse_ids(std::string_view list) {
  std::vector<unsigned> ids;
  if (list.empty()) return ids;
  for (const auto range : base::split(list, ',')) {
    if (!append_range(range, ids)) return std::nullopt;
  }
  return ids;
}

std::optional<std::vector<std::uint64_t>> parse_numbers(std::string_view text) {
  const auto line = parse_line(text);
  if (!line || line->empty()) return std::nullopt;
  std::vector<std::uint64_t> numbers;
  std::string_view rest = *line;
  for (auto word = base::take_word(rest); !word.empty(); word = base::take_word(rest)) {
    const auto number = base::parse_u64(word);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

}  // namespace allocd::kernel
