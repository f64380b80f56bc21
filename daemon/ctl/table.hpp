// SPDX-License-Identifier: Apache-2.0
// Text in columns that never exceed the width asked for. Cells are made printable here, so no caller can
// forget it. When the natural widths do not fit, flexible columns give way, the widest first. Pure.
#pragma once

#include <string>
#include <vector>

#include "ctl/paint.hpp"
#include "ctl/render_options.hpp"

namespace allocd::ctl {

enum class Align { left, right };
enum class Cut { never, end, middle };

struct Column {
  std::string title;
  Align align = Align::left;
  Cut cut = Cut::never;  // how a flexible column loses text
};

struct Cell {
  std::string text;
  Style style = Style::plain;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add_row(std::vector<Cell> cells);
  // Under the last row, indented and wrapped.
  void add_note(std::string text);

  [[nodiscard]] std::string render(const RenderOptions& options, std::size_t indent = 0) const;

 private:
  struct Row {
    std::vector<Cell> cells;
    std::vector<std::string> notes;
  };
  [[nodiscard]] std::vector<std::size_t> widths(const RenderOptions& options, std::size_t room) const;
  void render_row(std::string& out, const RenderOptions& options, const std::vector<Cell>& cells,
                  const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

}  // namespace allocd::ctl
