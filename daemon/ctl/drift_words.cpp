// SPDX-License-Identifier: Apache-2.0
#include "ctl/drift_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ctl/figures.hpp"
#include "drift/rules.hpp"

namespace allocd::ctl {

namespace {

constexpr double kHour = 3600;
constexpr double kDay = 24 * kHour;

// A whole number for people from what a document may say; no number is more than a million hours.
std::uint64_t hours_of(double seconds) {
  constexpr double kMost = 1e6;
  const double hours = seconds / kHour;
  return hours > 0 ? static_cast<std::uint64_t>(std::min(hours, kMost)) : 0;
}

}  // namespace

bool is_drifting(const drift::Report& report) {
  return report.known && (report.state == drift::State::drift || report.state == drift::State::exhaustion);
}

bool is_too_young(const drift::Report& report) {
  return report.known && (report.state == drift::State::warming || report.window < report.needed);
}

bool is_hidden_by_restarts(const drift::Report& report) {
  // A life that is old enough speaks for itself.
  if (!report.lives_growth_per_second || (report.known && !is_too_young(report))) return false;
  double held = 0;
  for (const auto& life : report.lives) held = std::max(held, life.warm_floor.value_or(0));
  return kDay * *report.lives_growth_per_second > drift::least_rise(held);
}

std::string_view drift_state_text(const drift::Report& report) {
  return report.known ? drift::kStateNames.name(report.state) : "-";
}

std::string drift_rules_text(const drift::Report& report) {
  if (report.slow && report.fast) return "slow and fast";
  return report.slow ? "slow" : report.fast ? "fast" : "";
}

std::string drift_verdict_text(const drift::Report& report) {
  const auto state = drift_state_text(report);
  const auto rules = drift_rules_text(report);
  const bool says_more = report.known && report.state == drift::State::drift && !rules.empty();
  return says_more ? fmt::format("{} ({})", state, rules) : std::string(state);
}

std::string drift_window_text(const drift::Report& report) {
  if (!is_too_young(report)) return "";
  const auto seen = hours_of(report.window);
  const auto needed = hours_of(std::ceil(report.needed / kHour) * kHour);
  if (seen >= needed) return fmt::format("window too short: {} hours with gaps", seen);
  return fmt::format("window too short: {} of {} hours", seen, needed);
}

std::string per_day_text(const std::optional<double>& per_second) {
  return per_second ? format_change(kDay * *per_second) : "-";
}

std::string computed_bytes_or_dash(const std::optional<double>& bytes) {
  return bytes ? format_computed_bytes(*bytes) : "-";
}

std::string time_left_text(const std::optional<double>& seconds) {
  constexpr double kYear = 365.25 * kDay;  // beyond it a figure would promise what nobody knows
  if (!seconds) return "-";
  return *seconds > kYear ? "over 1y" : format_duration(*seconds);
}

std::string drift_note(const drift::Report& report) {
  if (!report.known) return "";
  if (!is_drifting(report) && report.state != drift::State::watch) {
    if (!is_hidden_by_restarts(report)) return "";
    return fmt::format("growth hidden by restarts, {} a day within its ended lives",
                       per_day_text(report.lives_growth_per_second));
  }
  auto text = drift_verdict_text(report);
  if (report.slope) text += fmt::format(", {} a day", per_day_text(report.slope));
  if (report.time_to_limit) text += fmt::format(", at its limit in {}", time_left_text(report.time_to_limit));
  return text;
}

std::optional<std::uint64_t> glibc_heaps_of(const snapshot::Unit& unit) {
  std::optional<std::uint64_t> heaps;
  for (const auto& role : unit.roles) {
    if (role.max_mappings > 0) heaps = heaps.value_or(0) + role.glibc_heaps;
  }
  return heaps;
}

}  // namespace allocd::ctl
