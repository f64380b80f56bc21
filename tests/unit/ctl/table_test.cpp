// SPDX-License-Identifier: Apache-2.0
#include "ctl/table.hpp"

#include <string_view>

#include "base/text.hpp"
#include "ctl/terminal_text.hpp"
#include "support/catch.hpp"

using namespace allocd::ctl;

namespace {

Table sample_table() {
  Table table({{.title = "NAME", .cut = Cut::middle},
               {.title = "COUNT", .align = Align::right},
               {.title = "NOTE", .cut = Cut::end}});
  table.add_row({{"a"}, {"1"}, {"short"}});
  table.add_row({{"a-rather-long-name-of-a-unit"}, {"12345"}, {""}});
  table.add_note("a remark");
  return table;
}

}  // namespace

TEST_CASE("columns are as wide as they must be, and no line ends in blanks") {
  CHECK(sample_table().render({}) ==
        "NAME                          COUNT  NOTE\n"
        "a                                 1  short\n"
        "a-rather-long-name-of-a-unit  12345\n"
        "  a remark\n");
}

TEST_CASE("what is flexible gives way, figures do not") {
  CHECK(sample_table().render({.width = 26}, 2) ==
        "  NAME        COUNT  NOTE\n"
        "  a               1  short\n"
        "  a-rat…unit  12345\n"
        "    a remark\n");
}

TEST_CASE("when nothing flexible is left the rest gives way too") {
  const auto text = sample_table().render({.width = 12});
  for (std::string_view left = text; !left.empty();) {
    CHECK(display_width(allocd::base::take_line(left)) <= 12);
  }
}

TEST_CASE("a cell cannot break its line") {
  Table table({{.title = "NAME"}});
  table.add_row({{"evil\nname\x1B[2J"}});
  CHECK(table.render({}) == "NAME\nevil\\x0aname\\x1b[2J\n");
}

TEST_CASE("colour surrounds the text and not the padding") {
  Table table({{.title = "A"}, {.title = "B"}});
  table.add_row({{"x", Style::bad}, {"y"}});
  table.add_row({{"longer"}, {"z"}});
  const auto text = table.render({.color = true});
  CHECK(text.find("\x1b[1;31mx\x1b[0m       y\n") != std::string::npos);
}
