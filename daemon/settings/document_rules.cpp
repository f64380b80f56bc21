// SPDX-License-Identifier: Apache-2.0
#include "settings/document_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include "settings/value_error.hpp"

namespace allocd::settings {

namespace {

void check_node(const YamlNode& node, ProblemList& problems) {
  if (node.kind == YamlNode::Kind::alias) {
    problems.add(node.place, "aliases are not accepted",
                 "write the value out; put a pattern that begins with '*' in quotes");
  }
  if (node.tagged) problems.add(node.place, "tags are not accepted", "remove the word that begins with '!'");
}

void check_key(const YamlNode& key, ProblemList& problems) {
  if (key.kind == YamlNode::Kind::scalar) {
    if (!is_usable_key(key)) {
      problems.add(key.place, "merge keys ('<<') are not accepted", "write the keys out");
    }
  } else if (key.kind != YamlNode::Kind::alias) {
    problems.add(key.place, fmt::format("a key must be a name, not {}", describe(key.kind)));
  }
}

void check_tree(const YamlNode& node, ProblemList& problems);

void check_map(const YamlNode& map, ProblemList& problems) {
  std::unordered_map<std::string_view, Place> first;
  for (const auto& [key, value] : map.entries) {
    check_key(key, problems);
    check_tree(key, problems);
    const bool merges_alias =
        key.kind == YamlNode::Kind::scalar && !is_usable_key(key) && value.kind == YamlNode::Kind::alias;
    if (!merges_alias) check_tree(value, problems);
    if (!is_usable_key(key)) continue;
    const auto [known, is_new] = first.emplace(key.text, key.place);
    if (!is_new) {
      problems.add(key.place, fmt::format("repeated key {}", quoted(key.text)),
                   fmt::format("first at line {}, column {}", known->second.line, known->second.column));
    }
  }
}

// Recursion is bounded by kDeepest.
void check_tree(const YamlNode& node, ProblemList& problems) {  // NOLINT(misc-no-recursion)
  check_node(node, problems);
  for (const auto& item : node.items) check_tree(item, problems);
  check_map(node, problems);
}

bool is_one_of(std::string_view text, auto words) {
  return std::ranges::find(words, text) != words.end();
}

}  // namespace

void check_document(const YamlNode& root, ProblemList& problems) {
  check_tree(root, problems);
}

bool is_usable_key(const YamlNode& key) {
  return key.kind == YamlNode::Kind::scalar && !(key.plain && key.text == "<<");
}

bool looks_like_number(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  constexpr std::array<std::string_view, 6> kSpecial{".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"};
  if (is_one_of(text, kSpecial)) return true;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    return text.size() > 2 && text.find_first_not_of("0123456789abcdefABCDEF_", 2) == std::string_view::npos;
  }
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || std::ranges::none_of(text, digit)) return false;
  // Starts as a number and holds nothing that a number cannot: decimal, octal, float, base 60.
  if (!digit(text[0]) && text[0] != '.') return false;
  return text.find_first_not_of("0123456789_.:eEo+-") == std::string_view::npos;
}

bool looks_like_boolean(std::string_view text) {
  constexpr std::array<std::string_view, 18> kWords{"yes",  "Yes",  "YES",  "no",    "No",    "NO",
                                                    "on",   "On",   "ON",   "off",   "Off",   "OFF",
                                                    "true", "True", "TRUE", "false", "False", "FALSE"};
  return is_one_of(text, kWords);
}

}  // namespace allocd::settings
