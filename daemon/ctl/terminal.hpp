// SPDX-License-Identifier: Apache-2.0
// What standard output is: a terminal or not, how wide, which characters it takes.
#pragma once

#include <optional>
#include <string_view>

#include "ctl/command_line.hpp"
#include "ctl/render_options.hpp"

namespace allocd::ctl {

struct Surroundings {
  bool is_terminal = false;
  std::optional<std::string_view> no_color;  // $NO_COLOR (no-color.org: counts when set and not empty)
  std::optional<std::string_view> term;      // $TERM
};

// Pure. What was said on the command line wins over the surroundings.
[[nodiscard]] bool decide_color(ColorMode mode, const Surroundings& surroundings);

// Asks the process: terminal, environment, locale, clock. Sets the process's LC_CTYPE.
[[nodiscard]] RenderOptions read_render_options(ColorMode mode);

}  // namespace allocd::ctl
