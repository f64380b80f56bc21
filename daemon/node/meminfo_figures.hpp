// SPDX-License-Identifier: Apache-2.0
// Which key of a meminfo file is which figure: one table for each struct that is filled from such a file.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "kernel/meminfo.hpp"
#include "node/state.hpp"

namespace allocd::node {

template <typename Into>
struct MeminfoFigure {
  std::string_view key;
  Figure Into::* figure;
};

// Nothing when `text` is not meminfo to its end; a key it does not have is an absent figure.
template <typename Into, std::size_t Count>
[[nodiscard]] std::optional<Into> parse_figures(std::string_view text,
                                                const std::array<MeminfoFigure<Into>, Count>& table) {
  Into into;
  const bool is_whole = kernel::visit_meminfo(text, [&](const kernel::MeminfoLine& line) {
    for (const auto& row : table) {
      if (row.key == line.key) into.*(row.figure) = line.value;
    }
  });
  return is_whole ? std::optional(into) : std::nullopt;
}

}  // namespace allocd::node
