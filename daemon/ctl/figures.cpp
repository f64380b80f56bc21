// SPDX-License-Identifier: Apache-2.0
#include "ctl/figures.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <ctime>

namespace allocd::ctl {

namespace {

struct TimeUnit {
  std::uint64_t seconds;
  char letter;
};
constexpr std::array kTimeUnits{TimeUnit{86'400, 'd'}, TimeUnit{3'600, 'h'}, TimeUnit{60, 'm'},
                                TimeUnit{1, 's'}};
constexpr double kEndOfTime = 253'402'300'800.0;  // the year 10000

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
  if (bytes == 0) return "0";
  constexpr std::string_view kUnits = "BKMGTPE";
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < kUnits.size()) {  // what would be rounded to 1024 is 1.0 of the next
    value /= 1024;
    ++unit;
  }
  const bool whole = unit == 0 || value >= 999.95;
  return whole ? fmt::format("{:.0f}{}", value, kUnits[unit]) : fmt::format("{:.1f}{}", value, kUnits[unit]);
}

std::string format_computed_bytes(double bytes) {
  constexpr double kTooMany = 18'446'744'073'709'551'616.0;  // 2^64
  if (!(bytes >= 0.5)) return "0";
  return format_bytes(bytes < kTooMany ? static_cast<std::uint64_t>(std::round(bytes)) : UINT64_MAX);
}

std::string format_change(double bytes) {
  const auto amount = format_computed_bytes(std::abs(bytes));
  if (amount == "0") return amount;
  return (bytes < 0 ? "-" : "+") + amount;
}

std::string format_duration(double seconds) {
  if (!(seconds >= 1)) return "0s";
  auto left = seconds < kEndOfTime ? static_cast<std::uint64_t>(seconds) : std::uint64_t{253'402'300'800};
  for (std::size_t i = 0; i < kTimeUnits.size(); ++i) {
    if (left < kTimeUnits[i].seconds) continue;
    auto text = fmt::format("{}{}", left / kTimeUnits[i].seconds, kTimeUnits[i].letter);
    left %= kTimeUnits[i].seconds;
    if (i + 1 == kTimeUnits.size()) return text;
    const auto& next = kTimeUnits[i + 1];
    return fmt::format("{} {}{}", text, left / next.seconds, next.letter);
  }
  return "0s";
}

std::string format_time(double seconds_since_epoch) {
  if (!(seconds_since_epoch > 0 && seconds_since_epoch < kEndOfTime)) return "never";
  const auto seconds = static_cast<std::time_t>(seconds_since_epoch);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "never";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string count_of(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace allocd::ctl
