// SPDX-License-Identifier: Apache-2.0
// How a problem is shown. The source line is laid out in cells, one for each column of a terminal, so that
// the caret stands under the right one whatever tabs, escapes and UTF-8 come before it.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "base/text.hpp"
#include "settings/load.hpp"
#include "settings/problem_list.hpp"
#include "settings/value_error.hpp"

namespace allocd::settings {

namespace {

constexpr std::size_t kWindow = 100;  // columns of the source line that are shown
constexpr std::size_t kTabStop = 4;
constexpr std::string_view kIndent = "    ";
constexpr std::string_view kCut = "...";

struct Layout {
  std::vector<std::string> cells;
  std::size_t caret = 0;
};

void append_character(std::vector<std::string>& cells, std::string_view character) {
  if (character == "\t") {
    cells.resize((cells.size() / kTabStop + 1) * kTabStop, " ");
    return;
  }
  const auto shown = base::escape_for_terminal(character);
  if (shown == character) {
    cells.push_back(shown);
    return;
  }
  for (const char c : shown) cells.emplace_back(1, c);
}

Layout lay_out(std::string_view line, int column) {
  Layout layout;
  for (int at = 1; !line.empty(); ++at) {
    if (at == column) layout.caret = layout.cells.size();
    const auto length = character_length(line);
    append_character(layout.cells, line.substr(0, length));
    line.remove_prefix(length);
    if (at < column && line.empty()) layout.caret = layout.cells.size();
  }
  return layout;
}

// Cuts a long line to a window around its caret, with "..." where something was left out.
Layout cut_to_window(Layout layout) {
  const std::size_t size = layout.cells.size();
  if (size <= kWindow) return layout;
  const std::size_t half = kWindow / 2;
  const std::size_t start = std::min(layout.caret > half ? layout.caret - half : 0, size - kWindow);
  const auto first = layout.cells.begin() + static_cast<std::ptrdiff_t>(start);
  Layout window{{first, first + static_cast<std::ptrdiff_t>(kWindow)}, layout.caret - start};
  for (std::size_t i = 0; i < kCut.size(); ++i) {
    if (start > 0) window.cells[i] = kCut[i];
    if (start + kWindow < size) window.cells[kWindow - kCut.size() + i] = kCut[i];
  }
  return window;
}

std::string render_source(const Problem& problem) {
  const auto layout = cut_to_window(lay_out(problem.source_line, problem.position.column));
  std::string line;
  for (const auto& cell : layout.cells) line += cell;
  return fmt::format("{0}{1}\n{0}{2}^\n", kIndent, line, std::string(layout.caret, ' '));
}

}  // namespace

std::string render_problem(const Problem& problem) {
  std::string out = base::escape_for_terminal(render_position(problem.position)) + ": " +
                    base::escape_for_terminal(problem.message) + "\n";
  if (problem.position.line > 0 && !problem.source_line.empty()) out += render_source(problem);
  if (!problem.hint.empty()) {
    out += fmt::format("{}hint: {}\n", kIndent, base::escape_for_terminal(problem.hint));
  }
  return out;
}

std::string render_problems(const std::vector<Problem>& problems) {
  std::string out;
  for (const auto& problem : problems) out += render_problem(problem);
  return out;
}

}  // namespace allocd::settings
