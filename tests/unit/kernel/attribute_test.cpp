// SPDX-License-Identifier: Apache-2.0
#include "kernel/attribute.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace allocd::kernel;

TEST_CASE("attribute: the line of a file, whole or nothing") {
  CHECK(parse_line("madvise\n") == "madvise");
  CHECK(parse_line("\n") == "");
  CHECK(parse_line(" a b \n") == "a b");
  CHECK_FALSE(parse_line(""));
  CHECK_FALSE(parse_line("6553"));  // of 65530, cut
  CHECK_FALSE(parse_line("a\nb\n"));
  CHECK_FALSE(parse_line(std::string_view("\0\n", 2)));
  CHECK_FALSE(parse_line("\x1b[2J\n"));
  CHECK_FALSE(parse_line("\xff\n"));
}

TEST_CASE("attribute: numbers and switches") {
  CHECK(parse_number("2097152\n") == 2097152U);
  CHECK(parse_number("18446744073709551615\n") == UINT64_MAX);
  CHECK(parse_switch("1\n") == true);
  CHECK(parse_switch("0\n") == false);
  for (const std::string_view text :
       {"", "\n", "1", "-1\n", "18446744073709551616\n", "0x10\n", "1 2\n", "y\n"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_number(text));
    CHECK_FALSE(parse_switch(text));
  }
  CHECK_FALSE(parse_switch("2\n"));
}

TEST_CASE("attribute: the chosen word of a selection") {
  const auto enabled = parse_selection("always [madvise] never\n");
  REQUIRE(enabled);
  CHECK(enabled->chosen == "madvise");
  CHECK(enabled->options == std::vector<std::string_view>{"always", "madvise", "never"});
  const auto defrag = parse_selection("always defer [defer+madvise] madvise never\n");
  REQUIRE(defrag);
  CHECK(defrag->chosen == "defer+madvise");
  CHECK(defrag->options.size() == 5);
}

TEST_CASE("attribute: a bare word or number is a choice without a menu") {
  for (const std::string text : {"1\n", "never\n"}) {
    const auto selection = parse_selection(text);
    REQUIRE(selection);
    CHECK(selection->chosen == std::string_view(text).substr(0, text.size() - 1));
    CHECK(selection->options.empty());
  }
}

TEST_CASE("attribute: no choice, two choices and broken brackets are no selection") {
  for (const std::string_view text :
       {"", "\n", "always madvise never\n", "[always] [never]\n", "always [madv", "[]\n", "always []\n",
        "[always never]\n", "[[always]] never\n", "al[ways\n", "[always] never"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_selection(text));
  }
}

TEST_CASE("attribute: lists of ids") {
  CHECK(parse_id_list("0-3,8,10-11\n") == std::vector<unsigned>{0, 1, 2, 3, 8, 10, 11});
  CHECK(parse_id_list("0\n") == std::vector<unsigned>{0});
  CHECK(parse_id_list("\n") == std::vector<unsigned>{});
  const auto most = parse_id_list("0-65535\n");
  REQUIRE(most);
  CHECK(most->size() == 65536);
  for (const std::string_view text :
       {"", "0-3", "3-0\n", "0,0\n", "4,1\n", "0-3,2\n", "0-\n", "-1\n", ",\n", "0,,1\n", "0-65536\n",
        "0-18446744073709551615\n", "0-3:2/4\n", "a\n"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_id_list(text));
  }
}

TEST_CASE("attribute: lists of ids without a newline") {
  CHECK(parse_ids("0-2,8") == std::vector<unsigned>{0, 1, 2, 8});
  CHECK(parse_ids("") == std::vector<unsigned>{});
  for (const std::string_view text : {"0-3\n", " 0", "3-0", "a", "0,"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_ids(text));
  }
}

TEST_CASE("attribute: distances") {
  CHECK(parse_numbers("10 21 31\n") == std::vector<std::uint64_t>{10, 21, 31});
  for (const std::string_view text : {"", "\n", "10 2", "10 x\n", "10 -1\n", "10\n21\n"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_numbers(text));
  }
}
