// SPDX-License-Identifier: Apache-2.0
#include "ctl/figures.hpp"

#include <cstdint>
#include <limits>

#include "support/catch.hpp"

using namespace allocd::ctl;

TEST_CASE("bytes are binary, with one decimal, and never longer than six characters") {
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;
  CHECK(format_bytes(0) == "0");
  CHECK(format_bytes(1) == "1B");
  CHECK(format_bytes(1023) == "1023B");
  CHECK(format_bytes(1024) == "1.0K");
  CHECK(format_bytes(kGiB + kGiB / 2) == "1.5G");
  CHECK(format_bytes(kGiB - 1) == "1.0G");
  CHECK(format_bytes(999 * kGiB + kGiB / 10 * 9) == "999.9G");
  CHECK(format_bytes(1023 * kGiB) == "1023G");
  CHECK(format_bytes(1024 * kGiB - 1) == "1.0T");
  CHECK(format_bytes(std::numeric_limits<std::uint64_t>::max()) == "16.0E");
  for (std::uint64_t bytes = 1; bytes != 0; bytes <<= 1U) {
    for (const auto near : {bytes - 1, bytes, bytes + bytes / 3}) CHECK(format_bytes(near).size() <= 6);
  }
}

TEST_CASE(
    "what was computed is rounded, kept inside what can be counted, and has a sign where it is a change") {
  constexpr double kMiB = 1024.0 * 1024;
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  CHECK(format_computed_bytes(1.5 * kMiB) == "1.5M");
  CHECK(format_computed_bytes(0.4) == "0");
  CHECK(format_computed_bytes(-kMiB) == "0");
  CHECK(format_computed_bytes(kNaN) == "0");
  CHECK(format_computed_bytes(18'446'744'073'709'551'616.0) == "16.0E");
  CHECK(format_computed_bytes(kInfinite) == "16.0E");
  CHECK(format_change(1.5 * kMiB) == "+1.5M");
  CHECK(format_change(-1.5 * kMiB) == "-1.5M");
  CHECK(format_change(-0.4) == "0");
  CHECK(format_change(0) == "0");
  CHECK(format_change(-kInfinite) == "-16.0E");
  CHECK(format_change(kNaN) == "0");
}

TEST_CASE("durations show the two largest units") {
  CHECK(format_duration(0.4) == "0s");
  CHECK(format_duration(12.9) == "12s");
  CHECK(format_duration(60) == "1m 0s");
  CHECK(format_duration(303) == "5m 3s");
  CHECK(format_duration(3'600 * 4 + 59) == "4h 0m");
  CHECK(format_duration(86'400 * 3 + 3'600 * 4) == "3d 4h");
  CHECK(format_duration(-5) == "0s");
  CHECK(format_duration(std::numeric_limits<double>::quiet_NaN()) == "0s");
  CHECK(format_duration(std::numeric_limits<double>::infinity()) == "2932897d 0h");
}

TEST_CASE("times are RFC 3339 in UTC") {
  CHECK(format_time(1'760'000'000.75) == "2025-10-09T08:53:20Z");
  CHECK(format_time(0) == "never");
  CHECK(format_time(-1) == "never");
  CHECK(format_time(1e300) == "never");
  CHECK(format_time(253'402'300'799.0) == "9999-12-31T23:59:59Z");
}

TEST_CASE("a count agrees with its noun") {
  CHECK(count_of(1, "file", "files") == "1 file");
  CHECK(count_of(0, "file", "files") == "0 files");
}
