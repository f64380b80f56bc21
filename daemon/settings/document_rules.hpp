// SPDX-License-Identifier: Apache-2.0
// What holds for every place of a settings file, whatever the keys mean: a key is a name, is written once,
// and nothing is written by reference.
//
// Anchors without aliases are harmless and pass. Aliases and merge keys (`<<`) are refused: a place in a
// message could not be told, and a few lines could grow without bound. So are tags (`!!int`): the reader
// of a key knows its type. Also which plain texts other YAML readers take for something else than text.
// Pure; safe from any thread.
#pragma once

#include <string_view>

#include "settings/problem_list.hpp"
#include "settings/yaml_document.hpp"

namespace allocd::settings {

// Reports what breaks a rule, in the whole tree. Readers then pass over such nodes without a word.
void check_document(const YamlNode& root, ProblemList& problems);

// Already reported by check_document: no name, or a merge key.
[[nodiscard]] bool is_usable_key(const YamlNode& key);

// 10, 0x1f, 1_000, 1.5, .inf, 1:30: a number to one or the other YAML reader.
[[nodiscard]] bool looks_like_number(std::string_view text);
// yes, No, ON, true: a boolean to YAML 1.1.
[[nodiscard]] bool looks_like_boolean(std::string_view text);

}  // namespace allocd::settings
