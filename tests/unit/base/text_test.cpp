// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "support/catch.hpp"

using namespace allocd::base;

TEST_CASE("numbers: the whole text or nothing") {
  CHECK(parse_u64("0") == 0U);
  CHECK(parse_u64("18446744073709551615") == UINT64_MAX);
  CHECK(parse_u64("7fff", 16) == 0x7fffU);
  const std::string text =
      GENERATE(as<std::string>{}, "", " 1", "1 ", "-1", "+1", "1x", "0x1", "18446744073709551616");
  CHECK_FALSE(parse_u64(text));
}

TEST_CASE("words and lines are taken off the front") {
  std::string_view text = "  one\ttwo \n";
  CHECK(take_word(text) == "one");
  CHECK(take_word(text) == "two");
  CHECK(take_word(text).empty());
  std::string_view lines = "a\n\nb";
  CHECK(take_line(lines) == "a");
  CHECK(take_line(lines).empty());
  CHECK(take_line(lines) == "b");
  CHECK(lines.empty());
  CHECK(split("a::b", ':') == std::vector<std::string_view>{"a", "", "b"});
  CHECK(trim(" \t x y \n") == "x y");
}

TEST_CASE("globs: as systemd matches unit names, backslashes included") {
  CHECK(matches_glob("vllm@*.service", "vllm@a.service"));
  CHECK_FALSE(matches_glob("vllm@*.service", "vllm.service"));
  CHECK(matches_glob("machine-qemu\\x2d1*.scope", "machine-qemu\\x2d1-vm.scope"));
  CHECK(matches_glob("a[12]?", "a2x"));
  CHECK(has_glob_characters("a?"));
  CHECK_FALSE(has_glob_characters("vllm\\x2d1.service"));
}

TEST_CASE("nearest word: a slip of the pen, not another word") {
  constexpr std::array<std::string_view, 3> kWords{"interval", "read_deadline", "services"};
  CHECK(nearest_word("intervall", kWords) == "interval");
  CHECK(nearest_word("servces", kWords) == "services");
  CHECK_FALSE(nearest_word("banana", kWords));
}

TEST_CASE("terminals obey nothing that comes from outside") {
  CHECK(escape_for_terminal("a\x1b[31mb\n") == "a\\x1b[31mb\\x0a");
  CHECK(escape_for_terminal("\xC2\x9B"
                            "31m") == "\\xc2\\x9b31m");
  CHECK(escape_for_terminal("gr\xC3\xBC\xC3\x9F") == "gr\xC3\xBC\xC3\x9F");
  CHECK(escape_for_terminal("\xFF") == "\\xff");
}

TEST_CASE("text becomes valid UTF-8, and what is valid stays") {
  CHECK(to_valid_utf8("gr\xC3\xBC\xC3\x9F") == "gr\xC3\xBC\xC3\x9F");
  const std::string bad =
      GENERATE(as<std::string>{}, "\xFF", "\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE2\x82");
  const std::string fixed = to_valid_utf8(bad);
  CHECK(fixed.find("\xEF\xBF\xBD") != std::string::npos);
  CHECK(to_valid_utf8(fixed) == fixed);
}

TEST_CASE("JSON: exact integers, escaped strings, no NaN") {
  JsonWriter json;
  json.begin_object()
      .member("max", UINT64_MAX)
      .member("min", INT64_MIN)
      .member("nan", std::numeric_limits<double>::quiet_NaN())
      .member("text", "a\"\\\n\x01\xFF")
      .member("none", std::optional<int>())
      .key("list")
      .begin_array()
      .value(1)
      .value(true)
      .begin_object()
      .end_object()
      .end_array()
      .end_object();
  CHECK(json.take() ==
        "{\"max\":18446744073709551615,\"min\":-9223372036854775808,\"nan\":null,"
        "\"text\":\"a\\\"\\\\\\u000a\\u0001\xEF\xBF\xBD\",\"none\":null,\"list\":[1,true,{}]}");
}

TEST_CASE("faults say what, where and why") {
  CHECK(fault_from_errno("read", "/x", ENOENT).error().message() ==
        "cannot read /x: No such file or directory");
  CHECK(fault("read", "", "it is gone").error().message() == "cannot read: it is gone");
  CHECK(fault_from_errno("read", "/x", 99999).error().cause == "error 99999");
}

TEST_CASE("a descriptor has one owner") {
  UniqueFd first(::dup(0));
  REQUIRE(first);
  const int number = first.get();
  UniqueFd second(std::move(first));
  CHECK(second.get() == number);
  second = UniqueFd();
  CHECK(::fcntl(number, F_GETFD) == -1);
}
