// SPDX-License-Identifier: Apache-2.0
#include "node/expect_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/text.hpp"

namespace allocd::node {

namespace {

constexpr std::uint64_t kKibibyte = 1024;

std::optional<NumberRange> parse_range(std::string_view text) {
  const bool is_least = text.starts_with(">=");
  if (is_least || text.starts_with("<=")) {
    const auto bound = base::parse_u64(base::trim(text.substr(2)));
    if (!bound) return std::nullopt;
    return is_least ? NumberRange{*bound, UINT64_MAX} : NumberRange{0, *bound};
  }
  const auto dots = text.find("..");
  const auto low = base::parse_u64(base::trim(text.substr(0, dots)));
  const auto high = dots == std::string_view::npos ? low : base::parse_u64(base::trim(text.substr(dots + 2)));
  if (!low || !high || *low > *high) return std::nullopt;
  return NumberRange{*low, *high};
}

}  // namespace

std::optional<std::vector<NumberRange>> parse_number_ranges(std::string_view text) {
  std::vector<NumberRange> ranges;
  for (const auto part : base::split(text, '|')) {
    const auto range = parse_range(base::trim(part));
    if (!range) return std::nullopt;
    ranges.push_back(*range);
  }
  return ranges;
}

bool is_in(const std::vector<NumberRange>& ranges, std::uint64_t number) {
  return std::ranges::any_of(
      ranges, [&](const NumberRange& range) { return range.low <= number && number <= range.high; });
}

std::optional<std::vector<std::string_view>> parse_word_list(std::string_view text) {
  std::vector<std::string_view> words;
  for (const auto part : base::split(text, '|')) {
    words.push_back(base::trim(part));
    if (words.back().empty()) return std::nullopt;
  }
  return words;
}

std::optional<std::uint64_t> parse_page_size(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::uint64_t bytes;
  };
  constexpr std::array kUnits{
      Unit{"K", kKibibyte},
      Unit{"kB", kKibibyte},
      Unit{"KiB", kKibibyte},
      Unit{"M", kKibibyte * kKibibyte},
      Unit{"MiB", kKibibyte * kKibibyte},
      Unit{"G", kKibibyte * kKibibyte * kKibibyte},
      Unit{"GiB", kKibibyte * kKibibyte * kKibibyte},
  };
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = base::parse_u64(text.substr(0, digits));
  const auto* unit = std::ranges::find(kUnits, text.substr(digits), &Unit::name);
  if (!number || unit == kUnits.end() || *number > UINT64_MAX / unit->bytes) return std::nullopt;
  const std::uint64_t bytes = *number * unit->bytes;
  return std::has_single_bit(bytes) ? std::optional(bytes) : std::nullopt;
}

std::string page_size_text(std::uint64_t bytes) {
  constexpr std::string_view kUnits = "BKMGT";
  std::size_t unit = 0;
  while (bytes >= kKibibyte && bytes % kKibibyte == 0 && unit + 1 < kUnits.size()) {
    bytes /= kKibibyte;
    ++unit;
  }
  return fmt::format("{}{}", bytes, kUnits[unit]);
}

}  // namespace allocd::node
