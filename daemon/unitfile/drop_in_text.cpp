// SPDX-License-Identifier: Apache-2.0
#include "unitfile/drop_in_text.hpp"

#include <fmt/format.h>

#include <cstddef>

#include "base/shell_word.hpp"
#include "base/text.hpp"
#include "unitfile/checksum.hpp"

namespace allocd::unitfile {

namespace {

constexpr std::string_view kSignature = "# Written by allocd ";
constexpr std::string_view kWarning =
    "Do not edit: allocd leaves an edited file alone and reports it as tampered.";
constexpr std::string_view kChecksum = "# Checksum: sha256:";
constexpr std::size_t kLinesBeforeChecksum = 3;

// systemd gives up a file with a line of a mebibyte, even if it is a comment.
constexpr std::size_t kLongestField = 1000;

std::string in_comment(std::string_view text) {
  return base::escape_for_terminal(text.substr(0, kLongestField));
}

std::string checksum_line(std::string_view text_without_it) {
  return fmt::format("{}{}\n", kChecksum, sha256_hex(text_without_it));
}

// Where the line after the first `count` lines starts; npos when there are fewer.
std::size_t skip_lines(std::string_view text, std::size_t count) {
  std::size_t position = 0;
  for (; count > 0; --count) {
    const auto newline = text.find('\n', position);
    if (newline == std::string_view::npos) return newline;
    position = newline + 1;
  }
  return position;
}

}  // namespace

std::string render_owned_text(const DropInHeader& header, const DropInBody& body) {
  const std::string head =
      fmt::format("{}{} for {}. {}\n# Policy: {}\n# Undo: allocctl revert {}\n", kSignature,
                  in_comment(header.version), in_comment(header.unit), kWarning, in_comment(header.policy),
                  base::as_shell_word(in_comment(header.unit)));
  std::string rest;
  for (const auto& line : body.lines) rest.append(line).append("\n");
  return head + checksum_line(head + rest) + rest;
}

Ownership decide_ownership(std::string_view text) {
  if (!text.starts_with(kSignature)) return Ownership::foreign;
  const auto start = skip_lines(text, kLinesBeforeChecksum);
  const auto end = skip_lines(text, kLinesBeforeChecksum + 1);
  if (start == std::string_view::npos || end == std::string_view::npos) return Ownership::tampered;
  std::string without(text.substr(0, start));
  without += text.substr(end);
  return text.substr(start, end - start) == checksum_line(without) ? Ownership::ours : Ownership::tampered;
}

}  // namespace allocd::unitfile
