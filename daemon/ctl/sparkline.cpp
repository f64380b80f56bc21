// SPDX-License-Identifier: Apache-2.0
#include "ctl/sparkline.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace allocd::ctl {

namespace {

using Figures = std::span<const std::optional<double>>;

constexpr std::array<std::string_view, 8> kBlocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<std::string_view, 8> kAscii{".", ":", "-", "=", "+", "*", "#", "@"};

std::optional<double> lowest_of(Figures figures) {
  std::optional<double> lowest;
  for (const auto& figure : figures) {
    if (figure && std::isfinite(*figure)) lowest = std::min(lowest.value_or(*figure), *figure);
  }
  return lowest;
}

std::vector<std::optional<double>> squeeze(Figures figures, std::size_t columns) {
  const std::size_t count = std::min(figures.size(), columns);
  std::vector<std::optional<double>> squeezed;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t first = i * figures.size() / count;
    const std::size_t last = (i + 1) * figures.size() / count;
    squeezed.push_back(lowest_of(figures.subspan(first, last - first)));
  }
  return squeezed;
}

// What the marks reach from, and how far.
struct Scale {
  double bottom = 0;
  double height = 0;

  [[nodiscard]] std::size_t level(double figure) const {
    constexpr std::size_t kTop = kBlocks.size() - 1;
    const double share = (figure - bottom) / height;
    if (!(share > 0)) return 0;  // a height of 0, too
    return share >= 1 ? kTop : static_cast<std::size_t>(std::lround(share * static_cast<double>(kTop)));
  }
};

Scale scale_of(Figures figures) {
  constexpr double kLeastHeight = 0.05;
  const auto lowest = lowest_of(figures);
  if (!lowest) return {};
  double highest = *lowest;
  for (const auto& figure : figures) {
    if (figure && std::isfinite(*figure)) highest = std::max(highest, *figure);
  }
  return {*lowest, std::max(highest - *lowest, kLeastHeight * std::abs(highest))};
}

}  // namespace

std::string_view absent_mark(bool utf8) {
  return utf8 ? "·" : "?";
}

std::string render_sparkline(Figures figures, std::size_t columns, bool utf8) {
  const auto squeezed = squeeze(figures, columns);
  const auto scale = scale_of(squeezed);
  std::string out;
  for (const auto& figure : squeezed) {
    out += figure ? (utf8 ? kBlocks : kAscii).at(scale.level(*figure)) : absent_mark(utf8);
  }
  return out;
}

}  // namespace allocd::ctl
