// SPDX-License-Identifier: Apache-2.0
// The one adapter over yaml-cpp: text to a small tree that remembers its places, or one error.
//
// The tree is built from parser events, not from YAML::Node, because that one drops repeated keys, resolves
// aliases and forgets how a scalar was written. Aliases are kept unresolved, so no text can grow into more
// than it holds. Nesting deeper than kDeepest is an error. yaml-cpp's exceptions end here.
// Pure; safe from any thread.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settings/source_lines.hpp"

namespace allocd::settings {

inline constexpr int kDeepest = 32;

struct Entry;

struct YamlNode {
  enum class Kind { null, scalar, list, map, alias };
  Kind kind = Kind::null;
  bool plain = false;   // a scalar written without quotes and not as a block: `on`, not `"on"`
  bool tagged = false;  // has an explicit tag such as !!int
  Place place;
  std::string text;             // of a scalar
  std::vector<YamlNode> items;  // of a list
  std::vector<Entry> entries;   // of a map, in file order, repeated keys included
};

struct Entry {
  YamlNode key;
  YamlNode value;
  // Where to point when the value is wrong: a value left out has no place of its own.
  [[nodiscard]] Place value_place() const {
    return value.kind == YamlNode::Kind::null ? key.place : value.place;
  }
};

// Nothing for a text without a document (empty, or comments only).
using Document = std::expected<std::optional<YamlNode>, TextError>;

[[nodiscard]] Document parse_document(const SourceLines& source);

// "a map", "a list", "a text", "nothing", "an alias"
[[nodiscard]] std::string_view describe(YamlNode::Kind kind);

}  // namespace allocd::settings
