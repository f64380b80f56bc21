// SPDX-License-Identifier: Apache-2.0
// That a view fits its place and leaves a terminal nothing to obey; and a name that tries everything.
#pragma once

#include <string_view>

#include "base/text.hpp"
#include "ctl/terminal_text.hpp"
#include "support/catch.hpp"

namespace allocd::test {

inline void check_width(std::string_view text, std::size_t width) {
  while (!text.empty()) {
    const auto line = base::take_line(text);
    INFO(line);
    CHECK(ctl::display_width(line) <= width);
    CHECK(ctl::printable(line, true) == line);  // nothing left for the terminal to obey
  }
}

inline constexpr std::string_view kHostile =
    "\x1B]0;owned\x07"
    "模型模型模型/\xE2\x80\xAE"
    "gnol-a-very-very-very-very-long-name\n\xFF\xFEwith-everything.service";

}  // namespace allocd::test
