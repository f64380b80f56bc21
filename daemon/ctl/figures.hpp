// SPDX-License-Identifier: Apache-2.0
// Numbers for people. Pure; no locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace allocd::ctl {

// Binary units, one decimal: "0", "512B", "1.5G", "1000G".
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

// The same of what was computed; what is negative or not a number is "0".
[[nodiscard]] std::string format_computed_bytes(double bytes);

// A difference, with its sign: "+457.8M", "-4.6M", "0".
[[nodiscard]] std::string format_change(double bytes);

// The two largest units: "3d 4h", "5m 3s", "12s". What is negative or not a number is "0s".
[[nodiscard]] std::string format_duration(double seconds);

// RFC 3339 in UTC, whole seconds: "2025-10-09T08:53:20Z"; "never" for 0 and for what no calendar holds.
[[nodiscard]] std::string format_time(double seconds_since_epoch);

// "1 process", "2 processes".
[[nodiscard]] std::string count_of(std::uint64_t count, std::string_view one, std::string_view many);

}  // namespace allocd::ctl
