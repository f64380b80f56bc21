// SPDX-License-Identifier: Apache-2.0
#include "kernel/pressure.hpp"

#include "support/catch.hpp"

using allocd::kernel::parse_pressure;

TEST_CASE("pressure: both lines") {
  const auto pressure = parse_pressure(
      "some avg10=0.12 avg60=1.25 avg300=100.00 total=1234567\nfull avg10=0.00 avg60=0.75 avg300=0.20 "
      "total=8\n");
  REQUIRE(pressure);
  CHECK(pressure->some.avg10 == 0.12);
  CHECK(pressure->some.avg60 == 1.25);
  CHECK(pressure->some.avg300 == 100.0);
  CHECK(pressure->some.total_microseconds == 1234567U);
  REQUIRE(pressure->full);
  CHECK(pressure->full->avg60 == 0.75);
  CHECK(pressure->full->total_microseconds == 8U);
}

TEST_CASE("pressure: a kernel that has no full line") {
  const auto pressure = parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
  REQUIRE(pressure);
  CHECK_FALSE(pressure->full);
}

TEST_CASE("pressure: what is none") {
  for (const char* text :
       {"", "\n", "some\n", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0",
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", "some avg10=nan avg60=0.00 avg300=0.00 total=0\n",
        "some avg10=inf avg60=0.00 avg300=0.00 total=0\n", "some avg10=-1 avg60=0.00 avg300=0.00 total=0\n",
        "some avg60=0.00 avg10=0.00 avg300=0.00 total=0\n", "some avg10=0.00 avg60=0.00 avg300=0.00 total=\n",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00\n", "none avg10=0.00\n"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_pressure(text));
  }
}
