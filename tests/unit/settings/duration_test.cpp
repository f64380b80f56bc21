// SPDX-License-Identifier: Apache-2.0
#include "settings/duration.hpp"

#include "support/catch.hpp"

using namespace std::chrono_literals;
using allocd::settings::kLongestDuration;
using allocd::settings::parse_duration;
using allocd::settings::render_duration;
using allocd::settings::ValueError;

namespace {

ValueError error_of(std::string_view text) {
  const auto duration = parse_duration(text);
  return duration ? ValueError{"accepted", ""} : duration.error();
}

}  // namespace

TEST_CASE("durations of one part") {
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("10s") == 10s);
  CHECK(parse_duration("5m") == 5min);
  CHECK(parse_duration("2h") == 2h);
  CHECK(parse_duration("1d") == 24h);
  CHECK(parse_duration("0s") == 0s);
}

TEST_CASE("durations of several parts") {
  CHECK(parse_duration("1m 30s") == 90s);
  CHECK(parse_duration("1m30s") == 90s);
  CHECK(parse_duration("1d 2h 3m 4s 5ms") == 24h + 2h + 3min + 4s + 5ms);
  CHECK(parse_duration("1s   500ms") == 1500ms);
  CHECK(parse_duration("90m") == 90min);
}

TEST_CASE("a number needs its unit") {
  CHECK(error_of("10") == ValueError{"it has no unit", "write 10s"});
  CHECK(error_of("0") == ValueError{"it has no unit", "write 0s"});
  CHECK(error_of("1m 30") == ValueError{"it has no unit", "write 30s"});
  CHECK(error_of("10 20s") == ValueError{"it has no unit", "write 10s"});
}

TEST_CASE("units of other programs are told in ours") {
  CHECK(error_of("5min") == ValueError{"unknown unit 'min'", "write 5m"});
  CHECK(error_of("30sec") == ValueError{"unknown unit 'sec'", "write 30s"});
  CHECK(error_of("10S") == ValueError{"unknown unit 'S'", "write 10s"});
  CHECK(error_of("5 min") == ValueError{"a blank stands between number and unit", "write 5m"});
  CHECK(error_of("5 m") == ValueError{"a blank stands between number and unit", "write 5m"});
  CHECK(error_of("3w").message == "unknown unit 'w'");
  CHECK(error_of("3w").hint == "the units are ms, s, m, h and d, as in '10s' or '1m 30s'");
}

TEST_CASE("slips of the pen in durations") {
  CHECK(error_of("").message == "it is empty");
  CHECK(error_of("s").message == "a number is missing");
  CHECK(error_of(" 10s").message == "a number is missing");
  CHECK(error_of("10s ").message == "it ends with a blank");
  CHECK(error_of("-5s").message == "it is negative");
  CHECK(error_of("+5s").message == "a number is missing");
  CHECK(error_of("010s").message == "a number has a leading zero");
  CHECK(error_of("1.5s").message == "it has a fraction");
  CHECK(error_of("30s 1m").message == "its units do not run from large to small");
  CHECK(error_of("1m 30m").message == "its units do not run from large to small");
  CHECK(error_of("10s\n").message == "unknown unit 's\\x0a'");
  CHECK(error_of(std::string_view("10s\0", 4)).message == "unknown unit 's\\x00'");
}

TEST_CASE("durations do not overflow") {
  CHECK(parse_duration("36500d") == kLongestDuration);
  CHECK(error_of("36501d") == ValueError{"it is too long", "at most 36500d"});
  CHECK(error_of("36500d 1ms").message == "it is too long");
  CHECK(error_of("18446744073709551615d").message == "it is too long");
  CHECK(error_of("99999999999999999999999999ms").message == "it is too long");
}

TEST_CASE("durations are rendered short") {
  CHECK(render_duration(0s) == "0s");
  CHECK(render_duration(90s) == "1m 30s");
  CHECK(render_duration(24h) == "1d");
  CHECK(render_duration(1ms) == "1ms");
  CHECK(render_duration(300s) == "5m");
}
