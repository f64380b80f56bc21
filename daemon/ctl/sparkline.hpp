// SPDX-License-Identifier: Apache-2.0
// A series of figures as one line of marks. Pure.
//
// Eight heights, by blocks or in ASCII by weight. A figure that is absent has a mark of its own and is never
// drawn as low. The height of the line is 5 % of the highest figure at least, so that noise looks flat.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace allocd::ctl {

// At most `columns` marks and no blanks; where there are more figures, a mark is the lowest of its share.
[[nodiscard]] std::string render_sparkline(std::span<const std::optional<double>> figures,
                                           std::size_t columns, bool utf8);

// The mark of a figure that is absent.
[[nodiscard]] std::string_view absent_mark(bool utf8);

}  // namespace allocd::ctl
