// SPDX-License-Identifier: Apache-2.0
#include "ctl/lines.hpp"

#include <algorithm>

#include "ctl/terminal_text.hpp"

namespace allocd::ctl {

namespace {

std::size_t room_after(const RenderOptions& options, std::size_t taken) {
  return options.width - std::min(options.width, taken);
}

std::vector<std::string> wrap_at(std::string_view text, std::size_t width, Break where) {
  return where == Break::anywhere ? wrap(text, width) : wrap_words(text, width);
}

}  // namespace

void add_prose(std::string& out, const RenderOptions& options, std::string_view text, std::size_t indent,
               Style style, Break where) {
  for (const auto& line : wrap_at(printable(text, options.utf8), room_after(options, indent), where)) {
    out.append(indent, ' ').append(paint(options, style, line)).append("\n");
  }
}

void add_labelled(std::string& out, const RenderOptions& options, const Labelled& line) {
  const std::size_t margin = line.indent + line.label_width + 1;
  bool first = true;
  for (const auto& part :
       wrap_at(printable(line.text, options.utf8), room_after(options, margin), line.where)) {
    if (first) {
      out.append(line.indent, ' ').append(paint(options, line.label_style, line.label));
      out.append(line.label_width + 1 - std::min(line.label_width, display_width(line.label)), ' ');
    } else {
      out.append(margin, ' ');
    }
    out.append(paint(options, line.style, part)).append("\n");
    first = false;
  }
}

void add_heading(std::string& out, const RenderOptions& options, std::string_view text) {
  out.append("\n").append(paint(options, Style::heading, text)).append("\n");
}

}  // namespace allocd::ctl
