// SPDX-License-Identifier: Apache-2.0
#include "settings/duration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/text.hpp"

namespace allocd::settings {

namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  std::uint64_t length;  // milliseconds
};
// From large to small: a duration names them in this order.
constexpr std::array<Unit, 5> kUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

constexpr std::string_view kUnitsHint = "the units are ms, s, m, h and d, as in '10s' or '1m 30s'";

// Other programs' names for our units, so that a hint can say ours.
struct Synonym {
  std::string_view name;
  std::string_view ours;
};
constexpr std::array<Synonym, 16> kSynonyms{{{"msec", "ms"},
                                             {"S", "s"},
                                             {"sec", "s"},
                                             {"secs", "s"},
                                             {"second", "s"},
                                             {"seconds", "s"},
                                             {"M", "m"},
                                             {"min", "m"},
                                             {"mins", "m"},
                                             {"minute", "m"},
                                             {"minutes", "m"},
                                             {"H", "h"},
                                             {"hr", "h"},
                                             {"hour", "h"},
                                             {"hours", "h"},
                                             {"days", "d"}}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view take_digits(std::string_view& text) {
  const auto end = std::ranges::find_if_not(text, is_digit);
  const auto digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  return digits;
}

std::string_view take_unit_name(std::string_view& text) {
  const auto end = std::ranges::find_if(text, [](char c) { return is_digit(c) || c == ' '; });
  const auto name = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(name.size());
  return name;
}

// "write 5m" for ("5", "min"), or the list of units.
std::string hint_for_unit(std::string_view digits, std::string_view name) {
  const auto synonym = std::ranges::find(kSynonyms, name, &Synonym::name);
  if (synonym != kSynonyms.end()) return fmt::format("write {}{}", digits, synonym->ours);
  const bool ours = std::ranges::find(kUnits, name, &Unit::name) != kUnits.end();
  return ours ? fmt::format("write {}{}", digits, name) : std::string(kUnitsHint);
}

// `rest` is what follows the unit.
std::unexpected<ValueError> refuse_unit(std::string_view digits, std::string_view name,
                                        std::string_view rest) {
  if (name.starts_with('.')) {
    return refuse("it has a fraction", "whole numbers only: write '1s 500ms' for one and a half seconds");
  }
  if (!name.empty()) return refuse(fmt::format("unknown unit {}", quoted(name)), hint_for_unit(digits, name));
  const auto next_word = base::take_word(rest);
  if (next_word.empty() || is_digit(next_word[0])) {
    return refuse("it has no unit", fmt::format("write {}s", digits));
  }
  return refuse("a blank stands between number and unit", hint_for_unit(digits, next_word));
}

// Takes "30s" off `text`; `next_unit` is the largest unit that may still come.
std::expected<std::uint64_t, ValueError> take_part(std::string_view& text, std::size_t& next_unit) {
  const auto digits = take_digits(text);
  if (digits.empty()) {
    if (text.starts_with('-')) return refuse("it is negative");
    return refuse("a number is missing", std::string(kUnitsHint));
  }
  if (digits.size() > 1 && digits[0] == '0') return refuse("a number has a leading zero");
  const auto name = take_unit_name(text);
  const auto unit = std::ranges::find(kUnits, name, &Unit::name);
  if (unit == kUnits.end()) return refuse_unit(digits, name, text);
  const auto index = static_cast<std::size_t>(unit - kUnits.begin());
  if (index < next_unit)
    return refuse("its units do not run from large to small", "as in '1h 30m' or '1m 30s'");
  next_unit = index + 1;
  const auto count = base::parse_u64(digits);
  if (!count || *count > static_cast<std::uint64_t>(kLongestDuration.count()) / unit->length) {
    return refuse("it is too long", fmt::format("at most {}", render_duration(kLongestDuration)));
  }
  return *count * unit->length;
}

}  // namespace

std::expected<milliseconds, ValueError> parse_duration(std::string_view text) {
  if (text.empty()) return refuse("it is empty", std::string(kUnitsHint));
  milliseconds total{0};
  std::size_t next_unit = 0;
  while (!text.empty()) {
    const auto part = take_part(text, next_unit);
    if (!part) return std::unexpected(part.error());
    total += milliseconds{*part};
    const auto word = text.find_first_not_of(' ');
    if (word == std::string_view::npos && !text.empty()) return refuse("it ends with a blank");
    text.remove_prefix(text.empty() ? 0 : word);
  }
  if (total > kLongestDuration) {
    return refuse("it is too long", fmt::format("at most {}", render_duration(kLongestDuration)));
  }
  return total;
}

std::string render_duration(milliseconds duration) {
  auto rest = static_cast<std::uint64_t>(duration.count());
  std::string text;
  for (const auto& unit : kUnits) {
    if (rest < unit.length) continue;
    text += fmt::format("{}{}{}", text.empty() ? "" : " ", rest / unit.length, unit.name);
    rest %= unit.length;
  }
  return text.empty() ? "0s" : text;
}

}  // namespace allocd::settings
