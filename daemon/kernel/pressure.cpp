// SPDX-License-Identifier: Apache-2.0
#include "kernel/pressure.hpp"

#include "base/text.hpp"

namespace allocd::kernel {

namespace {

// The text behind `key` in "key=text", the next word of `line`.
std::optional<std::string_view> take_value(std::string_view& line, std::string_view key) {
  auto word = base::take_word(line);
  if (!word.starts_with(key)) return std::nullopt;
  word.remove_prefix(key.size());
  return word;
}

// "12.50": the kernel prints two digits behind the point.
std::optional<double> take_percent(std::string_view& line, std::string_view key) {
  constexpr std::uint64_t kHundred = 100;
  const auto text = take_value(line, key).value_or("");
  const auto point = text.find('.');
  if (point == std::string_view::npos || text.size() - point != 3) return std::nullopt;
  const auto whole = base::parse_u64(text.substr(0, point));
  const auto hundredths = base::parse_u64(text.substr(point + 1));
  if (!whole || !hundredths || *whole > UINT32_MAX) return std::nullopt;
  return static_cast<double>(*whole * kHundred + *hundredths) / static_cast<double>(kHundred);
}

std::optional<PressureLine> parse_rest(std::string_view line) {
  const auto avg10 = take_percent(line, "avg10=");
  const auto avg60 = take_percent(line, "avg60=");
  const auto avg300 = take_percent(line, "avg300=");
  const auto text = take_value(line, "total=");
  const auto total = base::parse_u64(text.value_or(""));
  if (!avg10 || !avg60 || !avg300 || !total) return std::nullopt;
  return PressureLine{*avg10, *avg60, *avg300, *total};
}

}  // namespace

std::optional<Pressure> parse_pressure(std::string_view text) {
  if (!text.ends_with('\n')) return std::nullopt;
  std::optional<PressureLine> some;
  std::optional<PressureLine> full;
  while (!text.empty()) {
    auto line = base::take_line(text);
    const auto kind = base::take_word(line);
    if (kind != "some" && kind != "full") return std::nullopt;
    auto& target = kind == "some" ? some : full;
    target = parse_rest(line);
    if (!target) return std::nullopt;
  }
  if (!some) return std::nullopt;
  return Pressure{*some, full};
}

}  // namespace allocd::kernel
