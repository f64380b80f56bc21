// SPDX-License-Identifier: Apache-2.0
// Colour, decided once and applied only through here. Colour never carries meaning alone.
#pragma once

#include <string>
#include <string_view>

#include "ctl/render_options.hpp"
#include "drift/report.hpp"
#include "policy/assessment.hpp"

namespace allocd::ctl {

enum class Style { plain, heading, good, warning, bad, faint };

// `text` in `style`; unchanged when colour is off.
[[nodiscard]] std::string paint(const RenderOptions& options, Style style, std::string_view text);

[[nodiscard]] Style style_of(policy::State state);
[[nodiscard]] Style style_of(drift::State state);

}  // namespace allocd::ctl
