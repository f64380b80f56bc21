// SPDX-License-Identifier: Apache-2.0
// Durations as people write them: "500ms", "10s", "5m", "2h", "1d", and "1m 30s" or "1m30s".
//
// Units are ms, s, m, h, d, from large to small, each at most once; whole numbers without leading zeros.
// A number without a unit is refused: seconds in one program are milliseconds in the next.
// Pure; safe from any thread.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

#include "settings/value_error.hpp"

namespace allocd::settings {

// Longest duration that is read; far beyond every range below, far below an overflow.
inline constexpr std::chrono::milliseconds kLongestDuration = std::chrono::days{36'500};

[[nodiscard]] std::expected<std::chrono::milliseconds, ValueError> parse_duration(std::string_view text);

// The shortest text that parse_duration reads back: "1m 30s", "0s". `duration` must not be negative.
[[nodiscard]] std::string render_duration(std::chrono::milliseconds duration);

}  // namespace allocd::settings
