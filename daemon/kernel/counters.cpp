// SPDX-License-Identifier: Apache-2.0
#include "kernel/counters.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace allocd::kernel {

std::optional<Counter> take_counter(std::string_view& text) {
  const auto line = base::take_line(text);
  const auto blank = line.find(' ');
  if (blank == 0 || blank == std::string_view::npos) return std::nullopt;
  const Counter counter{line.substr(0, blank), 0};
  const auto is_graphic = [](char c) { return c > 0x20 && c < 0x7F; };
  if (!std::ranges::all_of(counter.name, is_graphic)) return std::nullopt;
  const auto value = base::parse_u64(line.substr(blank + 1));
  if (!value) return std::nullopt;
  return Counter{counter.name, *value};
}

}  // namespace allocd::kernel
