// SPDX-License-Identifier: Apache-2.0
// Wrapped prose and "label  value" lines, within the width and made printable. Pure.
#pragma once

#include <string>
#include <string_view>

#include "ctl/paint.hpp"
#include "ctl/render_options.hpp"

namespace allocd::ctl {

// Between words: no path is broken, and one wider than the line runs over it.
enum class Break { anywhere, between_words };

// `text` wrapped, every line after `indent` blanks.
void add_prose(std::string& out, const RenderOptions& options, std::string_view text, std::size_t indent = 0,
               Style style = Style::plain, Break where = Break::anywhere);

// `label` in a column of `label_width`, then `text` wrapped beside it.
struct Labelled {
  std::string_view label;
  std::string_view text;
  std::size_t indent = 2;
  std::size_t label_width = 12;
  Style label_style = Style::faint;
  Style style = Style::plain;
  Break where = Break::anywhere;
};
void add_labelled(std::string& out, const RenderOptions& options, const Labelled& line);

// A heading with an empty line before it.
void add_heading(std::string& out, const RenderOptions& options, std::string_view text);

}  // namespace allocd::ctl
