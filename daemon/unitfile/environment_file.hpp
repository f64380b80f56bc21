// SPDX-License-Identifier: Apache-2.0
// The text of an EnvironmentFile=, as systemd reads it: NAME=VALUE lines, comments, quotes, escapes
// (systemd.exec(5)). It is not shell: `export A=b` sets nothing, $ and ` stand for themselves.
//
// A file that systemd refuses (a NUL, bytes that are not UTF-8) gives nothing at all, only `refusal`. An
// assignment to what is no variable name is skipped with a problem. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "unitfile/unit_text.hpp"

namespace allocd::unitfile {

struct FileAssignment {
  std::string name;
  std::string value;
  std::uint32_t line = 0;  // 1-based; where its name stands
  bool operator==(const FileAssignment&) const = default;
};

struct EnvironmentFileContent {
  std::vector<FileAssignment> assignments;
  std::vector<LineProblem> problems;
  std::string refusal;  // "" when systemd takes the file
  bool operator==(const EnvironmentFileContent&) const = default;
};

// A backslash that ends a comment: before systemd 254 the comment went on in the next line.
enum class CommentRule { ends_with_line, continues };

[[nodiscard]] EnvironmentFileContent parse_environment_file(std::string_view text,
                                                            CommentRule rule = CommentRule::ends_with_line);

// Letters, digits and '_', not first a digit.
[[nodiscard]] bool is_variable_name(std::string_view text);

}  // namespace allocd::unitfile
