// SPDX-License-Identifier: Apache-2.0
#include "unitfile/environment_file.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace allocd::unitfile;

namespace {

using List = std::vector<FileAssignment>;

List assignments(std::string_view text, CommentRule rule = CommentRule::ends_with_line) {
  const auto content = parse_environment_file(text, rule);
  CHECK(content.refusal.empty());
  return content.assignments;
}

}  // namespace

TEST_CASE("names, values and comments") {
  CHECK(assignments("# c\n; c\n A = b c \t\nB=\nC=d=e#f;g\n") ==
        List{{"A", "b c", 3}, {"B", "", 4}, {"C", "d=e#f;g", 5}});
}

TEST_CASE("quotes start a value only, keep blanks, and may be joined") {
  CHECK(assignments("A=\" b \"\nB=' c '  'd'e \nC=f\"g\"\n") ==
        List{{"A", " b ", 1}, {"B", " c de", 2}, {"C", "f\"g\"", 3}});
}

TEST_CASE("a backslash in single quotes is itself") {
  CHECK(assignments("A='b\\c\\'\nB=d\n") == List{{"A", "b\\c\\", 1}, {"B", "d", 2}});
}

TEST_CASE("in double quotes a backslash escapes what a shell would, and is kept before anything else") {
  CHECK(assignments("A=\"\\\"\\\\\\$\\`\\n\\\nz\"\n") == List{{"A", "\"\\$`\\nz", 1}});
}

TEST_CASE("outside of quotes a backslash keeps the next character and eats a line end") {
  CHECK(assignments("A=b\\nc\\ \\\nd\nB=e\n") == List{{"A", "bnc d", 1}, {"B", "e", 3}});
  CHECK(assignments("A=b\\ \n") == List{{"A", "b ", 1}});
}

TEST_CASE("a value runs over lines inside of quotes, and places after it are right") {
  CHECK(assignments("A='b\nc'\nB=d\n") == List{{"A", "b\nc", 1}, {"B", "d", 3}});
}

TEST_CASE("CR ends a line, and CR LF counts as one") {
  CHECK(assignments("A=b\r\nC=d\rE=f\r\n") == List{{"A", "b", 1}, {"C", "d", 2}, {"E", "f", 3}});
}

TEST_CASE("a file may end anywhere") {
  CHECK(assignments("A=b ") == List{{"A", "b", 1}});
  CHECK(assignments("A=") == List{{"A", "", 1}});
  CHECK(assignments("A='b ") == List{{"A", "b ", 1}});
  CHECK(assignments("A=b \\") == List{{"A", "b ", 1}});
  CHECK(assignments("A").empty());
  CHECK(assignments("# A=b").empty());
}

TEST_CASE("a comment with a backslash at its end took the next line with it before systemd 254") {
  CHECK(assignments("# c\\\nA=b\nB=c\n") == List{{"A", "b", 2}, {"B", "c", 3}});
  CHECK(assignments("# c\\\nA=b\nB=c\n", CommentRule::continues) == List{{"B", "c", 3}});
}

TEST_CASE("what is no variable name is skipped, and said") {
  const auto content = parse_environment_file("export A=b\n1B=c\nC\n==d\nD-E=f\nG=h\n");
  CHECK(content.assignments == List{{"G", "h", 6}});
  REQUIRE(content.problems.size() == 5);
  CHECK(content.problems[0] == LineProblem{1, "'export A' is no variable name"});
  CHECK(content.problems[2] == LineProblem{3, "no '='"});
}

TEST_CASE("a file with a NUL or bytes that are not UTF-8 gives nothing at all") {
  using namespace std::string_literals;
  const auto text =
      GENERATE(as<std::string>(), "A=b\nC=\xFF\n", "A=b\nC\xFF=d\n", "A=b\nC=\xEF\xBF\xBE\n", "A=b\nC=\0\n"s);
  const auto content = parse_environment_file(text);
  CHECK(content.assignments.empty());
  CHECK_FALSE(content.refusal.empty());
}
