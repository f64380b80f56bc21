// SPDX-License-Identifier: Apache-2.0
#include "ctl/terminal_text.hpp"

#include <string>

#include "support/catch.hpp"

using namespace allocd::ctl;

TEST_CASE("nothing that a terminal obeys, reorders or hides gets through") {
  CHECK(printable("plain.service", true) == "plain.service");
  CHECK(printable("a\x1B[31mb\n\t\x7F", true) == "a\\x1b[31mb\\x0a\\x09\\x7f");
  CHECK(printable("\xC2\x9B"
                  "31m",
                  true) == "\\xc2\\x9b31m");  // C1 CSI
  CHECK(printable("a\xE2\x80\xAE"
                  "b",
                  true) == "a\\u{202e}b");  // right-to-left override
  CHECK(printable("a\xE2\x80\x8B"
                  "b",
                  true) == "a\\u{200b}b");  // zero-width space
  CHECK(printable("\xFF\xFE", true) == "\\xff\\xfe");
  CHECK(printable("模型", true) == "模型");
  CHECK(printable("é模", false) == "\\u{e9}\\u{6a21}");
  CHECK(printable(printable("a\x1B\xE2\x80\xAE", true), true) == printable("a\x1B\xE2\x80\xAE", true));
}

TEST_CASE("widths count columns, not bytes") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("é✓…–") == 4);
  CHECK(display_width("模型") == 4);
  CHECK(display_width("e\xCC\x81") == 1);  // combining acute
  CHECK(display_width("\xF0\x9F\x98\x80") == 2);
}

TEST_CASE("cutting keeps within the width and keeps characters whole") {
  CHECK(cut_middle("/machine.slice/libpod-3f1c9a.scope", 16, true) == "/machine…a.scope");
  CHECK(cut_middle("abcdef", 5, false) == "ab~ef");
  CHECK(cut_middle("abc", 3, true) == "abc");
  CHECK(cut_middle("abcdef", 1, true) == "…");
  CHECK(cut_middle("abcdef", 0, true).empty());
  CHECK(cut_end("abcdef", 4, true) == "abc…");
  for (std::size_t width = 0; width < 12; ++width) {
    CHECK(display_width(cut_middle("模型模型模型", width, true)) <= width);
    CHECK(display_width(cut_end("模型模型模型", width, true)) <= width);
    CHECK(printable(cut_middle("模型模型模型", width, true), true).find('\\') == std::string::npos);
  }
}

TEST_CASE("wrapping breaks at blanks, and in the middle of a word only when it must") {
  using Lines = std::vector<std::string>;
  CHECK(wrap("one two three", 7) == Lines{"one two", "three"});
  CHECK(wrap("one two three", 8) == Lines{"one two", "three"});
  CHECK(wrap("one two three", 6) == Lines{"one", "two", "three"});
  CHECK(wrap("abcdefgh", 3) == Lines{"abc", "def", "gh"});
  CHECK(wrap("  a  b ", 80) == Lines{"a  b"});
  CHECK(wrap("", 80) == Lines{""});
  CHECK(wrap("模型模", 3) == Lines{"模", "型", "模"});
  CHECK(wrap("ab", 0) == Lines{"ab"});  // two columns is the least
  const std::string text(500, 'x');
  for (const auto& line : wrap(text, 7)) CHECK(line.size() <= 7);
}
