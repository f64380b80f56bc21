// SPDX-License-Identifier: Apache-2.0
// Spans of the week in which a service may be restarted, in the spelling of systemd.time(7):
// "Sat,Sun 02:00..05:00", "Mon..Fri 22:00..06:00 UTC", "03:30..04:15:30".
//
// The days are those of the beginning; a span whose end is not after its beginning runs past midnight; 24:00
// is the end of a day; the end itself is outside. A span is a statement about the clock on the wall: where a
// change of daylight saving time skips an hour, that hour is never inside, and an hour shown twice is inside
// twice. Time is passed in, never asked; the time zone is the process's own. Safe from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "settings/value_error.hpp"

namespace allocd::settings {

inline constexpr std::uint8_t kEveryDay = 0x7F;

struct Window {
  std::uint8_t days = kEveryDay;  // bit 0 is Monday, bit 6 Sunday
  std::chrono::seconds begin{0};  // since 00:00 of the day
  std::chrono::seconds end{0};    // as begin, to 24h; not after `begin`: of the next day
  bool utc = false;               // else local time
  bool operator==(const Window&) const = default;
};

[[nodiscard]] std::expected<Window, ValueError> parse_window(std::string_view text);
// What parse_window reads back: "Sat,Sun 02:00..05:00 UTC".
[[nodiscard]] std::string render_window(const Window& window);

using SystemTime = std::chrono::system_clock::time_point;

[[nodiscard]] bool is_inside(const Window& window, SystemTime time);
[[nodiscard]] bool is_inside(std::span<const Window> windows, SystemTime time);

// The first whole second from `time` on that is inside: `time` itself when it is. Nothing when there is none
// within two months: no window, or no time zone in which it comes.
[[nodiscard]] std::optional<SystemTime> next_opening(const Window& window, SystemTime time);
[[nodiscard]] std::optional<SystemTime> next_opening(std::span<const Window> windows, SystemTime time);

}  // namespace allocd::settings
