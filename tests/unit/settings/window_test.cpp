// SPDX-License-Identifier: Apache-2.0
// How a window is spelt, and when it is open. Random ones are held against a slow second implementation in
// tests/property/settings_property_test.cpp.
#include "settings/window.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/time_zone.hpp"

using namespace allocd::settings;
using namespace std::chrono_literals;
using allocd::test::at_utc;
using allocd::test::TimeZone;

namespace {

Window parsed(std::string_view text) {
  const auto window = parse_window(text);
  if (!window) FAIL(std::string(text) + ": " + window.error().message);
  return *window;
}

void check_refused(std::string_view text, const std::string& message, const std::string& hint) {
  INFO(text);
  const auto window = parse_window(text);
  REQUIRE_FALSE(window);
  CHECK(window.error().message == message);
  CHECK(window.error().hint == hint);
}

constexpr auto kExample = "write it as 'Sat,Sun 02:00..05:00' or 'Mon..Fri 22:00..06:00 UTC'";

}  // namespace

TEST_CASE("windows as systemd spells days and times") {
  CHECK(parsed("02:00..05:00") == Window{kEveryDay, 2h, 5h, false});
  CHECK(parsed("Sat,Sun 02:00..05:00") == Window{0b1100000, 2h, 5h, false});
  CHECK(parsed("Mon..Fri 22:00..06:00 UTC") == Window{0b0011111, 22h, 6h, true});
  CHECK(parsed("Fri..Mon 00:00..24:00").days == 0b1110001);
  CHECK(parsed("Mon..Mon 00:00..24:00").days == 0b0000001);
  CHECK(parsed("sat,WEDNESDAY,mon..Tue 00:00:01..23:59:59") == Window{0b0100111, 1s, 24h - 1s, false});
  CHECK(parsed("  Sun   03:30..04:15  UTC ") == Window{0b1000000, 3h + 30min, 4h + 15min, true});
}

TEST_CASE("a window is shown as it is read") {
  for (const auto* text : {"02:00..05:00", "Sat,Sun 02:00..05:00", "Mon..Fri 22:00..06:00 UTC",
                           "Mon,Fri..Sun 00:00..24:00", "Mon,Tue,Thu 00:00:01..00:00"}) {
    CHECK(render_window(parsed(text)) == text);
  }
  CHECK(render_window(parsed("Mon..Sun 02:00..05:00")) == "02:00..05:00");
}

TEST_CASE("what is no window is told what to write") {
  check_refused("", "it is empty", kExample);
  check_refused("daily", "unknown day 'daily'", "the days are Mon, Tue, Wed, Thu, Fri, Sat, Sun");
  check_refused("Sta 02:00..05:00", "unknown day 'Sta'", "the days are Mon, Tue, Wed, Thu, Fri, Sat, Sun");
  check_refused("Satt 02:00..05:00", "unknown day 'Satt'", "did you mean 'Sat'?");
  check_refused("Wendesday 02:00..05:00", "unknown day 'Wendesday'", "did you mean 'Wednesday'?");
  check_refused("Sat, Sun 02:00..05:00", "a day is missing", kExample);
  check_refused("Sat.. 02:00..05:00", "a day is missing", kExample);
  check_refused("Sat", "it has no time",
                "write such as 'Sat,Sun 02:00..05:00', in quotes where it stands between [ and ]");
  check_refused("Sat 02:00", "it has no end", kExample);
  check_refused("02:00-05:00", "it has no end", "write 02:00..05:00");
  check_refused("2:00..5:00", "'2:00' is not a time of the day", "write 02:00");
  check_refused("02..05", "'02' is not a time of the day", "write HH:MM or HH:MM:SS, 00:00 to 24:00");
  check_refused("02:00..24:01", "'24:01' is not a time of the day",
                "write HH:MM or HH:MM:SS, 00:00 to 24:00");
  check_refused("02:60..03:00", "'02:60' is not a time of the day",
                "write HH:MM or HH:MM:SS, 00:00 to 24:00");
  check_refused("..05:00", "a time is missing", kExample);
  check_refused("02:00..", "a time is missing", kExample);
  check_refused("02:00..02:00", "it ends where it begins", "write 00:00..24:00 for the whole day");
  check_refused("24:00..02:00", "no day begins at 24:00", "write 00:00, and the day after");
  check_refused("02:00..05:00 CET", "'CET' is no time zone known here",
                "write UTC, or nothing for the time zone of the host");
  check_refused("02:00..05:00 UTC daily", "'daily' follows its end", kExample);
  check_refused("Sat\x1b 02:00..05:00", "it has a control character", "");
}

TEST_CASE("the end is outside, the days are those of the beginning") {
  const TimeZone zone("UTC");
  const auto night = parsed("Fri 22:00..06:00");
  // 2026-03-06 is a Friday.
  CHECK_FALSE(is_inside(night, at_utc(2026, 3, 6, 5, 0)));
  CHECK_FALSE(is_inside(night, at_utc(2026, 3, 6, 21, 59) + 59s + 999ms));
  CHECK(is_inside(night, at_utc(2026, 3, 6, 22, 0)));
  CHECK(is_inside(night, at_utc(2026, 3, 7, 5, 59) + 59s + 999ms));
  CHECK_FALSE(is_inside(night, at_utc(2026, 3, 7, 6, 0)));
  CHECK_FALSE(is_inside(night, at_utc(2026, 3, 7, 22, 0)));
  CHECK(is_inside(parsed("Sun 00:00..24:00"), at_utc(2026, 3, 8, 23, 59)));
  CHECK_FALSE(is_inside(parsed("Sun 00:00..24:00"), at_utc(2026, 3, 9, 0, 0)));
  CHECK(is_inside(parsed("Wed 12:00..13:00"), at_utc(1969, 12, 31, 12, 30)));  // before the epoch
}

TEST_CASE("UTC is UTC wherever the host is") {
  const TimeZone zone("IST-5:30");
  CHECK(is_inside(parsed("02:00..03:00 UTC"), at_utc(2026, 3, 6, 2, 30)));
  CHECK_FALSE(is_inside(parsed("02:00..03:00"), at_utc(2026, 3, 6, 2, 30)));
  CHECK(is_inside(parsed("08:00..08:01"), at_utc(2026, 3, 6, 2, 30)));
}

TEST_CASE("the next opening") {
  const TimeZone zone("UTC");
  const auto weekend = parsed("Sat,Sun 02:00..05:00");
  const auto friday = at_utc(2026, 3, 6, 12, 0);
  CHECK(next_opening(weekend, friday) == at_utc(2026, 3, 7, 2, 0));
  CHECK(next_opening(weekend, at_utc(2026, 3, 7, 1, 59) + 59s + 1ms) == at_utc(2026, 3, 7, 2, 0));
  // Open already.
  CHECK(next_opening(weekend, at_utc(2026, 3, 7, 3, 0) + 5ms) == at_utc(2026, 3, 7, 3, 0) + 5ms);
  CHECK(next_opening(weekend, at_utc(2026, 3, 8, 5, 0)) == at_utc(2026, 3, 14, 2, 0));
  const std::vector<Window> windows{weekend, parsed("Fri 23:00..23:30"), parsed("Mon 00:00..01:00")};
  CHECK(next_opening(windows, friday) == at_utc(2026, 3, 6, 23, 0));
  CHECK(is_inside(windows, at_utc(2026, 3, 6, 23, 29)));
  CHECK_FALSE(next_opening(std::vector<Window>{}, friday));
  CHECK_FALSE(is_inside(std::vector<Window>{}, friday));
}

TEST_CASE("an hour that is skipped is never inside, one that comes twice is twice") {
  const TimeZone zone("CET-1CEST,M3.5.0,M10.5.0/3");  // Berlin, without its file
  // Sunday, 2026-03-29: 02:00 CET (01:00 UTC) becomes 03:00 CEST.
  CHECK(next_opening(parsed("Sun 02:00..03:00"), at_utc(2026, 3, 28, 12, 0)) == at_utc(2026, 4, 5, 0, 0));
  CHECK(next_opening(parsed("Sun 02:30..03:30"), at_utc(2026, 3, 28, 12, 0)) == at_utc(2026, 3, 29, 1, 0));
  CHECK_FALSE(is_inside(parsed("Sun 02:30..03:30"), at_utc(2026, 3, 29, 0, 59)));
  CHECK_FALSE(is_inside(parsed("Sun 02:30..03:30"), at_utc(2026, 3, 29, 1, 30)));
  // Sunday, 2026-10-25: 03:00 CEST (01:00 UTC) becomes 02:00 CET.
  const auto twice = parsed("Sun 02:15..02:45");
  CHECK(next_opening(twice, at_utc(2026, 10, 24, 12, 0)) == at_utc(2026, 10, 25, 0, 15));
  CHECK_FALSE(is_inside(twice, at_utc(2026, 10, 25, 0, 50)));
  CHECK(next_opening(twice, at_utc(2026, 10, 25, 0, 50)) == at_utc(2026, 10, 25, 1, 15));
}
