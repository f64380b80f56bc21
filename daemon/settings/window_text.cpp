// SPDX-License-Identifier: Apache-2.0
// The spelling of a window: [DAYS] HH:MM[:SS]..HH:MM[:SS] [UTC].
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>

#include "base/text.hpp"
#include "settings/window.hpp"

namespace allocd::settings {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<std::string_view, 7> kShortDays{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr std::array<std::string_view, 7> kLongDays{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                    "Friday", "Saturday", "Sunday"};
constexpr std::string_view kExample = "write it as 'Sat,Sun 02:00..05:00' or 'Mon..Fri 22:00..06:00 UTC'";
constexpr std::string_view kRange = "..";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// ---- days ------------------------------------------------------------------------------------------------

std::expected<std::size_t, ValueError> parse_day(std::string_view word) {
  const auto same = [&](std::string_view name) { return lower_case(name) == lower_case(word); };
  for (const auto& names : {kShortDays, kLongDays}) {
    const auto known = std::ranges::find_if(names, same);
    if (known != names.end()) return static_cast<std::size_t>(known - names.begin());
  }
  if (word.empty()) return refuse("a day is missing", std::string(kExample));
  std::string hint = fmt::format("the days are {}", fmt::join(kShortDays, ", "));
  for (const auto& names : {kLongDays, kShortDays}) {
    if (const auto nearest = base::nearest_word(word, names))
      hint = fmt::format("did you mean '{}'?", *nearest);
  }
  return refuse(fmt::format("unknown day {}", quoted(word)), std::move(hint));
}

// "Mon", or "Fri..Mon", which runs over the weekend.
std::expected<std::uint8_t, ValueError> parse_day_range(std::string_view text) {
  const auto range = text.find(kRange);
  const auto first = parse_day(text.substr(0, range));
  if (!first) return std::unexpected(first.error());
  if (range == std::string_view::npos) return static_cast<std::uint8_t>(1U << *first);
  const auto last = parse_day(text.substr(range + kRange.size()));
  if (!last) return std::unexpected(last.error());
  unsigned days = 1U << *last;
  for (auto day = *first; day != *last; day = (day + 1) % kShortDays.size()) days |= 1U << day;
  return static_cast<std::uint8_t>(days);
}

std::expected<std::uint8_t, ValueError> parse_days(std::string_view text) {
  unsigned days = 0;
  for (const auto part : base::split(text, ',')) {
    const auto range = parse_day_range(part);
    if (!range) return range;
    days |= *range;
  }
  return static_cast<std::uint8_t>(days);
}

// Runs of three days and more as a range, so that the week reads "Mon..Sun".
std::string render_days(std::uint8_t days) {
  std::string text;
  for (std::size_t day = 0; day < kShortDays.size();) {
    std::size_t end = day;
    while (end < kShortDays.size() && (unsigned{days} >> end & 1U) != 0) ++end;
    if (end == day) {
      ++day;
      continue;
    }
    const auto* comma = text.empty() ? "" : ",";
    if (end - day >= 3) {
      text += fmt::format("{}{}..{}", comma, kShortDays.at(day), kShortDays.at(end - 1));
      day = end;
    } else {
      text += fmt::format("{}{}", comma, kShortDays.at(day++));
    }
  }
  return text;
}

// ---- times of day ----------------------------------------------------------------------------------------

// Two digits, or nothing.
std::optional<int> parse_two_digits(std::string_view text) {
  if (text.size() != 2 || !is_digit(text[0]) || !is_digit(text[1])) return std::nullopt;
  return (text[0] - '0') * 10 + (text[1] - '0');
}

std::unexpected<ValueError> refuse_time(std::string_view text) {
  if (text.empty()) return refuse("a time is missing", std::string(kExample));
  const bool one_digit = text.size() > 1 && is_digit(text[0]) && text[1] == ':';
  return refuse(
      fmt::format("{} is not a time of the day", quoted(text)),
      one_digit ? fmt::format("write 0{}", text.substr(0, 7)) : "write HH:MM or HH:MM:SS, 00:00 to 24:00");
}

std::expected<seconds, ValueError> parse_time(std::string_view text) {
  const auto parts = base::split(text, ':');
  if (parts.size() < 2 || parts.size() > 3) return refuse_time(text);
  const auto hour = parse_two_digits(parts[0]);
  const auto minute = parse_two_digits(parts[1]);
  const auto second = parts.size() == 3 ? parse_two_digits(parts[2]) : 0;
  if (!hour || !minute || !second || *minute > 59 || *second > 59) return refuse_time(text);
  const seconds time = hours{*hour} + minutes{*minute} + seconds{*second};
  if (time > hours{24}) return refuse_time(text);
  return time;
}

std::string render_time(seconds time) {
  const auto of_day = time.count();
  const auto text = fmt::format("{:02}:{:02}", of_day / 3600, of_day / 60 % 60);
  return of_day % 60 == 0 ? text : fmt::format("{}:{:02}", text, of_day % 60);
}

std::expected<void, ValueError> parse_span(std::string_view text, Window& window) {
  const auto range = text.find(kRange);
  if (range == std::string_view::npos) {
    const auto dash = text.find('-');
    return refuse("it has no end",
                  dash == std::string_view::npos
                      ? std::string(kExample)
                      : fmt::format("write {}..{}", text.substr(0, dash), text.substr(dash + 1)));
  }
  const auto begin = parse_time(text.substr(0, range));
  if (!begin) return std::unexpected(begin.error());
  const auto end = parse_time(text.substr(range + kRange.size()));
  if (!end) return std::unexpected(end.error());
  if (*begin == hours{24}) return refuse("no day begins at 24:00", "write 00:00, and the day after");
  if (*begin == *end) return refuse("it ends where it begins", "write 00:00..24:00 for the whole day");
  window.begin = *begin;
  window.end = *end;
  return {};
}

}  // namespace

std::expected<Window, ValueError> parse_window(std::string_view text) {
  Window window;
  if (base::escape_for_terminal(text) != text) return refuse("it has a control character");
  auto word = base::take_word(text);
  if (word.empty()) return refuse("it is empty", std::string(kExample));
  if (!is_digit(word[0]) && word[0] != '.') {
    const auto days = parse_days(word);
    if (!days) return std::unexpected(days.error());
    window.days = *days;
    word = base::take_word(text);
    if (word.empty()) {
      return refuse("it has no time",
                    "write such as 'Sat,Sun 02:00..05:00', in quotes where it stands between [ and ]");
    }
  }
  if (const auto good = parse_span(word, window); !good) return std::unexpected(good.error());
  word = base::take_word(text);
  window.utc = word == "UTC";
  if (!window.utc && !word.empty()) {
    return refuse(fmt::format("{} is no time zone known here", quoted(word)),
                  "write UTC, or nothing for the time zone of the host");
  }
  if (word = base::take_word(text); !word.empty()) {
    return refuse(fmt::format("{} follows its end", quoted(word)), std::string(kExample));
  }
  return window;
}

std::string render_window(const Window& window) {
  const auto days = window.days == kEveryDay ? "" : render_days(window.days) + " ";
  return fmt::format("{}{}..{}{}", days, render_time(window.begin), render_time(window.end),
                     window.utc ? " UTC" : "");
}

}  // namespace allocd::settings
