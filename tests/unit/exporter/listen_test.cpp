// SPDX-License-Identifier: Apache-2.0
#include "exporter/listen.hpp"

#include <cerrno>

#include "support/catch.hpp"

using namespace allocd::exporter;

TEST_CASE("addresses as exporters take them") {
  CHECK(*parse_listen_address(":10977") == ListenAddress{"", "10977"});
  CHECK(*parse_listen_address("127.0.0.1:0") == ListenAddress{"127.0.0.1", "0"});
  CHECK(*parse_listen_address("[::1]:9000") == ListenAddress{"::1", "9000"});
}

TEST_CASE("an address that is not one is refused with a cause") {
  for (const char* const wrong :
       {"", "10977", "127.0.0.1", "::1:9000", ":http", ":65536", ":-1", "[]:1", "[::1]", ":"}) {
    CAPTURE(wrong);
    const auto address = parse_listen_address(wrong);
    REQUIRE_FALSE(address.has_value());
    CHECK_FALSE(address.error().cause.empty());
  }
}

TEST_CASE("a name is refused, not resolved") {
  const auto listener = open_listener({"localhost", "0"});
  REQUIRE_FALSE(listener.has_value());
  CHECK(listener.error().cause.find("numeric") != std::string::npos);
}

TEST_CASE("the kernel's choice of port is told, and a taken port is a fault") {
  const auto listener = open_listener({"127.0.0.1", "0"});
  REQUIRE(listener.has_value());
  const std::string bound = bound_address(listener->get());
  CHECK(bound.starts_with("127.0.0.1:"));
  CHECK(bound != "127.0.0.1:0");
  const auto again = open_listener(*parse_listen_address(bound));
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == EADDRINUSE);
}
