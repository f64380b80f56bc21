// SPDX-License-Identifier: Apache-2.0
// YAML to Settings, strictly: every problem of every file is found and reported in one go.
//
// Unknown key, duplicate key, wrong type, bad duration or byte size, out-of-range value, empty or repeated
// selector, a service named in two files: each is a Problem with its place, its source line and, for a
// misspelt key or word, the nearest known one. yaml-cpp's exceptions stop here. No I/O but reading files.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/source_position.hpp"
#include "host/root.hpp"
#include "settings/settings.hpp"

namespace allocd::settings {

struct Problem {
  base::SourcePosition position;
  std::string message;      // "unknown key 'intervall'"
  std::string hint;         // "did you mean 'interval'?" or what is accepted; may be empty
  std::string source_line;  // the line of the file, for the caret
  bool operator==(const Problem&) const = default;
};

// "file:line:column: message", then the source line, a caret under the column, and the hint.
[[nodiscard]] std::string render_problem(const Problem& problem);
[[nodiscard]] std::string render_problems(const std::vector<Problem>& problems);

using Loaded = std::expected<Settings, std::vector<Problem>>;

struct SourceText {
  std::string name;  // file name for positions
  std::string text;
};

// Merges the sources in order. Pure: this is what tests, corpora and the fuzzer call.
[[nodiscard]] Loaded parse_settings(const std::vector<SourceText>& sources);

// `main_file` (may be absent: then built-in defaults stand) and `directory`/*.yaml in lexical order.
// A file that exists and cannot be read is a Problem; so is one of the directory whose name ends in .yml.
[[nodiscard]] Loaded load_settings(const host::Root& root, const std::string& main_file,
                                   const std::optional<std::string>& directory);

inline constexpr const char* kDefaultFile = "/etc/allocd/allocd.yaml";
inline constexpr const char* kDefaultDirectory = "/etc/allocd/conf.d";

}  // namespace allocd::settings
