// SPDX-License-Identifier: Apache-2.0
// When a window is open. Everything is computed on the wall clock, as seconds since the epoch plus the offset
// of the time zone; the offset is constant between two changes of it, and there arithmetic is exact.
#include "settings/window.hpp"

#include <algorithm>
#include <ctime>

namespace allocd::settings {

namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::seconds;
using Instant = std::chrono::sys_seconds;

constexpr seconds kDay = days{1};
constexpr seconds kHorizon = days{62};
// No time zone changes its offset and back again within this.
constexpr seconds kStride = hours{6};

// Local time less UTC at `instant`; nothing when the time is beyond what the C library knows.
std::optional<seconds> offset_at(const Window& window, Instant instant) {
  if (window.utc) return seconds{0};
  ::tzset();  // localtime_r need not notice that the time zone was changed
  const std::time_t time = instant.time_since_epoch().count();
  std::tm local{};
  if (::localtime_r(&time, &local) == nullptr) return std::nullopt;
  return seconds{local.tm_gmtoff};
}

// What a wall clock shows, as if it were in UTC.
struct WallClock {
  std::uint8_t day_bit;
  std::uint8_t previous_day_bit;
  seconds time_of_day;
};

WallClock wall_clock(seconds local) {
  const auto day = floor<days>(local);
  // 1970-01-01 was a Thursday, the third day after Monday.
  const auto weekday = static_cast<unsigned>(((day.count() + 3) % 7 + 7) % 7);
  const auto bit = [](unsigned number) { return static_cast<std::uint8_t>(1U << number); };
  return {bit(weekday), bit((weekday + 6) % 7), local - day};
}

bool runs_past_midnight(const Window& window) {
  return window.end <= window.begin;
}

bool shows_inside(const Window& window, seconds local) {
  const auto clock = wall_clock(local);
  const bool today = (window.days & clock.day_bit) != 0;
  if (!runs_past_midnight(window)) {
    return today && clock.time_of_day >= window.begin && clock.time_of_day < window.end;
  }
  const bool yesterday = (window.days & clock.previous_day_bit) != 0;
  return (today && clock.time_of_day >= window.begin) || (yesterday && clock.time_of_day < window.end);
}

// The first time from `local` on that the clock shows inside, were its offset never to change.
std::optional<seconds> next_shown(const Window& window, seconds local) {
  if (shows_inside(window, local)) return local;
  seconds begin = floor<days>(local) + window.begin;
  for (int day = 0; day <= 7; ++day, begin += kDay) {
    if (begin >= local && shows_inside(window, begin)) return begin;
  }
  return std::nullopt;
}

// The first instant after `from` with another offset, or `from` + kStride; both ends have been asked.
Instant end_of_offset(const Window& window, Instant from, seconds offset) {
  Instant same = from;
  Instant other = from + kStride;
  if (offset_at(window, other) == offset) return other;
  while (other - same > seconds{1}) {
    const auto middle = same + (other - same) / 2;
    (offset_at(window, middle) == offset ? same : other) = middle;
  }
  return other;
}

}  // namespace

bool is_inside(const Window& window, SystemTime time) {
  const auto instant = floor<seconds>(time);
  const auto offset = offset_at(window, instant);
  return offset && shows_inside(window, instant.time_since_epoch() + *offset);
}

bool is_inside(std::span<const Window> windows, SystemTime time) {
  return std::ranges::any_of(windows, [&](const Window& window) { return is_inside(window, time); });
}

std::optional<SystemTime> next_opening(const Window& window, SystemTime time) {
  Instant from = std::chrono::ceil<seconds>(time);
  if (is_inside(window, time)) return time;
  const Instant last = from + kHorizon;
  while (from < last) {
    const auto offset = offset_at(window, from);
    if (!offset) return std::nullopt;
    const auto end = end_of_offset(window, from, *offset);
    if (const auto shown = next_shown(window, from.time_since_epoch() + *offset)) {
      const Instant opening{*shown - *offset};
      if (opening < end) return opening;
    }
    from = end;
  }
  return std::nullopt;
}

std::optional<SystemTime> next_opening(std::span<const Window> windows, SystemTime time) {
  std::optional<SystemTime> first;
  for (const auto& window : windows) {
    const auto opening = next_opening(window, time);
    if (opening && (!first || *opening < *first)) first = opening;
  }
  return first;
}

}  // namespace allocd::settings
