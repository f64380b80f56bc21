// SPDX-License-Identifier: Apache-2.0
#include "settings/byte_size.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <limits>

#include "base/text.hpp"

namespace allocd::settings {

namespace {

constexpr std::string_view kLetters = "KMGT";  // 1024 to the power of 1, 2, 3, 4
constexpr std::string_view kHint = "write a whole number of bytes, or one with K, M, G or T (powers of 1024)";

std::unexpected<ValueError> refuse_suffix(std::string_view digits, std::string_view suffix) {
  if (suffix.starts_with('.')) return refuse("it has a fraction", std::string(kHint));
  const bool ambiguous = suffix.size() == 2 && kLetters.find(suffix[0]) != std::string_view::npos &&
                         (suffix[1] == 'B' || suffix[1] == 'b');
  if (ambiguous) {
    return refuse(fmt::format("{} may mean powers of 1000 or of 1024", quoted(suffix)),
                  fmt::format("write {}{}iB", digits, suffix[0]));
  }
  return refuse(fmt::format("unknown unit {}", quoted(suffix)), std::string(kHint));
}

}  // namespace

std::expected<std::uint64_t, ValueError> parse_byte_size(std::string_view text) {
  const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto digits = text.substr(0, end);
  const auto suffix = text.substr(end);
  if (digits.empty()) {
    if (text.starts_with('-')) return refuse("it is negative");
    return refuse(text.empty() ? "it is empty" : "it does not begin with a number", std::string(kHint));
  }
  if (digits.size() > 1 && digits[0] == '0') return refuse("it has a leading zero");
  std::size_t power = 0;
  if (!suffix.empty() && suffix != "B") {
    power = kLetters.find(suffix[0]) + 1;  // 0 when not found
    if (power == 0 || (suffix.size() > 1 && suffix.substr(1) != "iB")) return refuse_suffix(digits, suffix);
  }
  const auto count = base::parse_u64(digits);
  if (!count || *count > std::numeric_limits<std::uint64_t>::max() >> (10 * power)) {
    return refuse("it is too large");
  }
  return *count << (10 * power);
}

std::string render_byte_size(std::uint64_t bytes) {
  std::size_t power = 0;
  while (power < kLetters.size() && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++power;
  }
  return power == 0 ? fmt::format("{}", bytes) : fmt::format("{}{}", bytes, kLetters[power - 1]);
}

}  // namespace allocd::settings
