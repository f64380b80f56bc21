// SPDX-License-Identifier: Apache-2.0
#include "unitfile/unit_text.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace allocd::unitfile;

namespace {

std::vector<Assignment> assignments(std::string_view text) {
  return parse_unit_text(text).assignments;
}

std::vector<std::uint32_t> problem_lines(std::string_view text) {
  std::vector<std::uint32_t> lines;
  for (const auto& problem : parse_unit_text(text).problems) lines.push_back(problem.line);
  return lines;
}

using List = std::vector<Assignment>;

}  // namespace

TEST_CASE("sections, keys and values are told apart and stripped") {
  CHECK(assignments("[Unit]\nDescription = one = two \n[Service]\n\tA=\n") ==
        List{{"Unit", "Description", "one = two", 2}, {"Service", "A", "", 4}});
}

TEST_CASE("a continued assignment is one line with blanks in it, placed where it starts") {
  CHECK(assignments("[S]\nA=a\\\n  b \\\nc\nB=d\n") == List{{"S", "A", "a   b  c", 2}, {"S", "B", "d", 5}});
}

TEST_CASE("comments inside a continuation are skipped and end nothing, whatever they end with") {
  CHECK(assignments("[S]\nA=a\\\n# no\n ; no \\\nb\nB=c\n") ==
        List{{"S", "A", "a b", 2}, {"S", "B", "c", 6}});
}

TEST_CASE("an empty line ends a continuation") {
  CHECK(assignments("[S]\nA=a\\\n\nB=b\n") == List{{"S", "A", "a", 2}, {"S", "B", "b", 4}});
}

TEST_CASE("an escaped backslash at the end of a line continues nothing") {
  CHECK(assignments("[S]\nA=a\\\\\nB=b\n") == List{{"S", "A", "a\\\\", 2}, {"S", "B", "b", 3}});
}

TEST_CASE("a file may end inside a continuation") {
  CHECK(assignments("[S]\nA=a\\") == List{{"S", "A", "a", 2}});
}

TEST_CASE("a comment that ends with a backslash takes nothing with it") {
  CHECK(assignments("[S]\n# x \\\nA=a\n") == List{{"S", "A", "a", 3}});
}

TEST_CASE("lines end with LF, CR, both in either order, or NUL") {
  CHECK(assignments(std::string_view("[S]\r\nA=a\n\rB=b\rC=c\0D=d\n\0E=e", 27)) == List{{"S", "A", "a", 2},
                                                                                        {"S", "B", "b", 3},
                                                                                        {"S", "C", "c", 4},
                                                                                        {"S", "D", "d", 5},
                                                                                        {"S", "E", "e", 6}});
}

TEST_CASE("a byte order mark is skipped once, but not before a comment") {
  CHECK(assignments("\xEF\xBB\xBF[S]\nA=a\n") == List{{"S", "A", "a", 2}});
  CHECK(problem_lines("\xEF\xBB\xBF# x\n") == std::vector<std::uint32_t>{1});
}

TEST_CASE("lines without a section, a key or a value's sign are problems and skipped") {
  CHECK(problem_lines("A=a\n[S]\nB\n=c\nC=d\n") == std::vector<std::uint32_t>{1, 3, 4});
  CHECK(assignments("A=a\n[S]\nB\n=c\nC=d\n") == List{{"S", "C", "d", 5}});
}

TEST_CASE("what systemd cannot stand ends the file there, and what came before is kept") {
  const auto line =
      GENERATE(as<std::string>(), "[T", "[T\"]", "[T\\]", "B=\xFF", "B=\xED\xA0\x80", "B=\xEF\xBF\xBE",
               std::string(kLongestLine, 'x'), "B=\\\n" + std::string(kLongestLine - 1, 'x'));
  const auto text = parse_unit_text("[S]\nA=a\n" + line + "\nC=c\n");
  CHECK_FALSE(text.is_whole);
  CHECK(text.assignments == List{{"S", "A", "a", 2}});
  REQUIRE(text.problems.size() == 1);
  CHECK(text.problems[0].line == 3);
}

TEST_CASE("bytes that are not UTF-8 do no harm in a comment") {
  CHECK(assignments("[S]\n# \xFF\nA=a\n") == List{{"S", "A", "a", 3}});
}

TEST_CASE("the longest line systemd takes is taken") {
  const auto text = parse_unit_text("[S]\nA=" + std::string(kLongestLine - 3, 'x') + "\n");
  CHECK(text.is_whole);
  REQUIRE(text.assignments.size() == 1);
}

TEST_CASE("a file of nothing has nothing") {
  CHECK(assignments("").empty());
  CHECK(parse_unit_text("\\").is_whole);
}
