// SPDX-License-Identifier: Apache-2.0
#include "unitfile/quote.hpp"

#include <fmt/format.h>

#include <iterator>

namespace allocd::unitfile {

namespace {

void append_in_quotes(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) continue;
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '%') {
      out += "%%";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
}

}  // namespace

std::string render_environment_line(std::string_view name, std::string_view value) {
  std::string line = "Environment=\"";
  append_in_quotes(line, name);
  line += '=';
  append_in_quotes(line, value);
  line += '"';
  return line;
}

std::string render_environment_file_line(std::string_view name, std::string_view value) {
  constexpr std::string_view kNeedEscape = "\"\\`$";
  std::string line(name);
  line += "=\"";
  for (const char c : value) {
    if (c == '\0') continue;
    if (kNeedEscape.find(c) != std::string_view::npos) line += '\\';
    line += c;
  }
  line += '"';
  return line;
}

std::string escape_specifiers(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '%') out += c;
  }
  return out;
}

std::string escape_file_pattern(std::string_view path) {
  constexpr std::string_view kPattern = "*?[\\";
  std::string out;
  for (const char c : path) {
    if (kPattern.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return escape_specifiers(out);
}

}  // namespace allocd::unitfile
