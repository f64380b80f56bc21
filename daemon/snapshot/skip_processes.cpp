// SPDX-License-Identifier: Apache-2.0
#include "snapshot/skip_processes.hpp"

#include <algorithm>
#include <cstddef>

namespace allocd::snapshot::detail {

namespace {

constexpr std::size_t kEnd = std::string_view::npos;
constexpr std::string_view kBlanks = " \t\r\n";

// The place after the string that opens at `quote`, or kEnd.
std::size_t after_string(std::string_view text, std::size_t quote) {
  for (std::size_t close = text.find('"', quote + 1); close != kEnd; close = text.find('"', close + 1)) {
    std::size_t backslashes = 0;
    while (text[close - 1 - backslashes] == '\\') ++backslashes;  // ends at the opening quote at the latest
    if (backslashes % 2 == 0) return close + 1;
  }
  return kEnd;
}

// The place of the bracket that closes the one at `open`, or kEnd.
std::size_t closing_bracket(std::string_view text, std::size_t open) {
  std::size_t depth = 0;
  for (std::size_t i = open; i < text.size();) {
    switch (text[i]) {
      case '"':
        i = after_string(text, i);
        continue;  // kEnd leaves the loop
      case '[':
      case '{':
        ++depth;
        break;
      case ']':
      case '}':
        if (--depth == 0) return i;
        break;
      default:
        break;
    }
    ++i;
  }
  return kEnd;
}

// Where the array of a `"processes": [` member opens, given the string at [quote, after); or kEnd.
std::size_t processes_array(std::string_view text, std::size_t quote, std::size_t after) {
  if (text.substr(quote, after - quote) != R"("processes")") return kEnd;
  const std::size_t colon = text.find_first_not_of(kBlanks, after);
  if (colon == kEnd || text[colon] != ':') return kEnd;
  const std::size_t open = text.find_first_not_of(kBlanks, colon + 1);
  return open != kEnd && text[open] == '[' ? open : kEnd;
}

constexpr int kUnitDepth = 3;  // document, units, unit; a role's count of processes lies deeper

}  // namespace

std::string skip_processes(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  int depth = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"') {
      const std::size_t after = after_string(text, i);
      if (after == kEnd) break;
      const std::size_t open = depth == kUnitDepth ? processes_array(text, i, after) : kEnd;
      i = after;
      if (open == kEnd) continue;
      const std::size_t close = closing_bracket(text, open);
      out.append(text.substr(copied, open + 1 - copied));
      i = copied = std::min(close, text.size());
      if (i < text.size()) ++i;  // past the closing bracket, which is still to be copied
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    ++i;
  }
  out.append(text.substr(copied));
  return out;
}

}  // namespace allocd::snapshot::detail
