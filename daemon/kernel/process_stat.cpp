// SPDX-License-Identifier: Apache-2.0
#include "kernel/process_stat.hpp"

#include <array>
#include <cstddef>

#include "base/text.hpp"

namespace allocd::kernel {

namespace {

constexpr std::size_t kFirstFieldAfterName = 3;
constexpr std::size_t kLastField = 28;

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  std::array<std::string_view, kLastField + 1> field;
  std::string_view rest = text.substr(close + 1);
  for (std::size_t i = kFirstFieldAfterName; i <= kLastField; ++i) field.at(i) = base::take_word(rest);

  const auto minor = base::parse_u64(field[10]);
  const auto major = base::parse_u64(field[12]);
  const auto threads = base::parse_u64(field[20]);
  const auto start = base::parse_u64(field[22]);
  const auto start_code = base::parse_u64(field[26]);
  const auto end_code = base::parse_u64(field[27]);
  const auto start_stack = base::parse_u64(field[28]);
  if (!minor || !major || !threads || !start || !start_code || !end_code || !start_stack) return std::nullopt;
  ProcessStat stat;
  stat.comm = text.substr(open + 1, close - open - 1);
  stat.state = field[3].empty() ? '?' : field[3][0];
  stat.minor_faults = *minor;
  stat.major_faults = *major;
  stat.threads = *threads;
  stat.start_ticks = *start;
  stat.image = {*start_code, *end_code, *start_stack};
  return stat;
}

}  // namespace allocd::kernel
