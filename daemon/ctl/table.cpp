// SPDX-License-Identifier: Apache-2.0
#include "ctl/table.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <optional>

#include "ctl/terminal_text.hpp"

namespace allocd::ctl {

namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;  // of a flexible column

std::string fit(const std::string& text, const Column& column, std::size_t width, bool utf8) {
  const auto safe = printable(text, utf8);
  // A column that is never cut is only cut when nothing else is left to give way.
  return column.cut == Cut::middle ? cut_middle(safe, width, utf8) : cut_end(safe, width, utf8);
}

}  // namespace

void Table::add_row(std::vector<Cell> cells) {
  assert(cells.size() == columns_.size());
  rows_.push_back({std::move(cells), {}});
}

void Table::add_note(std::string text) {
  assert(!rows_.empty());
  rows_.back().notes.push_back(std::move(text));
}

std::vector<std::size_t> Table::widths(const RenderOptions& options, std::size_t room) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = display_width(columns_[i].title);
    for (const auto& row : rows_) {
      widest = std::max(widest, display_width(printable(row.cells[i].text, options.utf8)));
    }
    widths.push_back(widest);
  }
  const auto used = [&] { return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1)); };
  const auto widest_of = [&](bool flexible_only) {
    std::optional<std::size_t> widest;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (flexible_only && (columns_[i].cut == Cut::never || widths[i] <= kNarrowest)) continue;
      if (!widest || widths[i] > widths[*widest]) widest = i;
    }
    return widest;
  };
  for (std::size_t total = used(); total > room; total = used()) {
    auto narrower = widest_of(true);
    if (!narrower) narrower = widest_of(false);
    if (widths[*narrower] <= 1) break;
    --widths[*narrower];
  }
  return widths;
}

void Table::render_row(std::string& out, const RenderOptions& options, const std::vector<Cell>& cells,
                       const std::vector<std::size_t>& widths) const {
  std::size_t pending = 0;  // blanks owed; those at the end of a line are never written
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto text = fit(cells[i].text, columns_[i], widths[i], options.utf8);
    const std::size_t padding = widths[i] - std::min(widths[i], display_width(text));
    if (columns_[i].align == Align::right) pending += padding;
    if (!text.empty()) {
      out.append(pending, ' ').append(paint(options, cells[i].style, text));
      pending = 0;
    }
    if (columns_[i].align == Align::left) pending += padding;
    pending += kGap;
  }
  out.push_back('\n');
}

std::string Table::render(const RenderOptions& options, std::size_t indent) const {
  const std::size_t room = options.width - std::min(options.width, indent);
  const auto fitted = widths(options, room);
  const std::string margin(indent, ' ');
  std::vector<Cell> titles;
  titles.reserve(columns_.size());
  for (const auto& column : columns_) titles.push_back({column.title, Style::heading});
  std::string out = margin;
  render_row(out, options, titles, fitted);
  for (const auto& row : rows_) {
    out.append(margin);
    render_row(out, options, row.cells, fitted);
    for (const auto& note : row.notes) {
      for (const auto& line : wrap(printable(note, options.utf8), room - std::min(room, kGap))) {
        out.append(margin).append(kGap, ' ').append(paint(options, Style::faint, line)).append("\n");
      }
    }
  }
  return out;
}

}  // namespace allocd::ctl
