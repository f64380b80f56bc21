// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "settings/load.hpp"
#include "settings/value_error.hpp"
#include "support/catch.hpp"

using allocd::settings::Problem;
using allocd::settings::render_problem;
using allocd::settings::render_problems;

namespace {

Problem at_column(int column, std::string line) {
  return {{"a.yaml", 3, column}, "wrong", "", std::move(line)};
}

}  // namespace

TEST_CASE("a problem is shown with line, caret and hint") {
  const Problem problem{
      {"a.yaml", 3, 3}, "unknown key 'intervall'", "did you mean 'interval'?", "  intervall: 10s"};
  CHECK(render_problem(problem) ==
        "a.yaml:3:3: unknown key 'intervall'\n"
        "      intervall: 10s\n"
        "      ^\n"
        "    hint: did you mean 'interval'?\n");
}

TEST_CASE("a problem of a whole file has neither line nor caret") {
  CHECK(render_problem({{"a.yaml", 0, 0}, "this is a directory, not a file", "", ""}) ==
        "a.yaml: this is a directory, not a file\n");
}

TEST_CASE("problems follow each other") {
  const Problem first{{"a.yaml", 0, 0}, "one", "", ""};
  const Problem second{{"b.yaml", 1, 1}, "two", "h", "x"};
  CHECK(render_problems({first, second}) == "a.yaml: one\nb.yaml:1:1: two\n    x\n    ^\n    hint: h\n");
  CHECK(render_problems({}).empty());
}

TEST_CASE("a tab before the caret does not misplace it") {
  CHECK(render_problem(at_column(4, "a\tb x")) ==
        "a.yaml:3:4: wrong\n"
        "    a   b x\n"
        "         ^\n");
  CHECK(render_problem(at_column(2, "\tx")) == "a.yaml:3:2: wrong\n        x\n        ^\n");
}

TEST_CASE("characters before the caret count once, escapes as they are shown") {
  CHECK(render_problem(at_column(4, "ééé x")) == "a.yaml:3:4: wrong\n    ééé x\n       ^\n");
  CHECK(render_problem(at_column(3, "a\x1bz")) == "a.yaml:3:3: wrong\n    a\\x1bz\n         ^\n");
  CHECK(render_problem(at_column(2, "\xffz")) == "a.yaml:3:2: wrong\n    \\xffz\n        ^\n");
}

TEST_CASE("a caret may stand behind the last character") {
  CHECK(render_problem(at_column(4, "abc")) == "a.yaml:3:4: wrong\n    abc\n       ^\n");
  CHECK(render_problem(at_column(40, "abc")) == "a.yaml:3:40: wrong\n    abc\n       ^\n");
}

TEST_CASE("nothing a file says reaches the terminal raw") {
  const Problem problem{{"\x1b]0;x\x07.yaml", 1, 1}, "key '\x1b[2J'", "\r\n", "\x1b[31m"};
  const auto shown = render_problem(problem);
  CHECK(shown.find('\x1b') == std::string::npos);
  CHECK(shown.find('\r') == std::string::npos);
  CHECK(shown == "\\x1b]0;x\\x07.yaml:1:1: key '\\x1b[2J'\n    \\x1b[31m\n    ^\n    hint: \\x0d\\x0a\n");
}

TEST_CASE("a long line is shown as a window of 100 columns around the caret") {
  const std::string line = std::string(200, 'a') + "X" + std::string(200, 'b');
  CHECK(render_problem(at_column(201, line)) == "a.yaml:3:201: wrong\n    ..." + std::string(47, 'a') + "X" +
                                                    std::string(46, 'b') + "...\n" + std::string(54, ' ') +
                                                    "^\n");
  CHECK(render_problem(at_column(1, line)) ==
        "a.yaml:3:1: wrong\n    " + std::string(97, 'a') + "...\n    ^\n");
  CHECK(render_problem(at_column(401, line)) ==
        "a.yaml:3:401: wrong\n    ..." + std::string(97, 'b') + "\n" + std::string(103, ' ') + "^\n");
}

TEST_CASE("a line of 100 columns is shown whole") {
  const std::string line(100, 'a');
  CHECK(render_problem(at_column(100, line)) ==
        "a.yaml:3:100: wrong\n    " + line + "\n" + std::string(103, ' ') + "^\n");
}

TEST_CASE("quoted text is printable and short") {
  using allocd::settings::quoted;
  CHECK(quoted("a") == "'a'");
  CHECK(quoted("a\nb") == "'a\\x0ab'");
  CHECK(quoted(std::string(60, 'x')) == "'" + std::string(60, 'x') + "'");
  CHECK(quoted(std::string(61, 'x')) == "'" + std::string(60, 'x') + "...'");
}
