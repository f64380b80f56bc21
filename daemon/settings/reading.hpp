// SPDX-License-Identifier: Apache-2.0
// The parts from which the schema files are made: a row of a key table, the loop that reads a map by such a
// table, and readers for values. Each reports what is wrong and leaves its target as it was. Private to this
// folder. Not thread-safe: one Reading per file.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settings/document_rules.hpp"
#include "settings/duration.hpp"
#include "settings/problem_list.hpp"
#include "settings/settings.hpp"
#include "settings/value_error.hpp"
#include "settings/yaml_document.hpp"

namespace allocd::settings {

// What the files read so far have said, to find what is said twice.
struct Seen {
  struct Selection {
    base::SourcePosition position;
    std::string service;
  };
  // A key that only enforcing gives a meaning, in a service that selects no unit.
  struct IdleKey {
    std::size_t file;  // as Reading::file
    Place place;
    std::string key;
    std::string service;
  };
  std::map<std::string, base::SourcePosition> services;
  std::map<std::pair<SelectorKind, std::string>, Selection> selectors;
  std::vector<IdleKey> idle_keys;
};

struct Reading {
  ProblemList& problems;
  Seen& seen;
  std::size_t file = 0;  // counts the files, from 0
};

template <typename Target>
struct Key {
  std::string_view name;
  std::string_view type;
  std::string (*default_value)();
  std::string (*range)();
  std::string_view meaning;
  void (*read)(Reading&, const Entry&, Target&);
};

template <typename Number>
struct Limits {
  Number min, max;
};

// Whether the value is a map, a list or a text; if not it is reported, unless check_document did so already.
// `wanted_name` is what a person calls it, when that is not the kind's own name: "a duration".
[[nodiscard]] bool has_kind(Reading& reading, const Entry& entry, YamlNode::Kind wanted,
                            std::string_view hint, std::string_view wanted_name = {});

// Text that no YAML reader takes for a number or a boolean.
[[nodiscard]] std::optional<std::string_view> read_text(Reading& reading, const Entry& entry,
                                                        std::string_view hint);

// The index of the value among `words`. `hint_for_no` is for "off", "none" and their like.
[[nodiscard]] std::optional<std::size_t> read_word_index(Reading& reading, const Entry& entry,
                                                         std::span<const std::string_view> words,
                                                         std::string_view hint_for_no);
template <typename Enum, std::size_t kCount>
[[nodiscard]] std::optional<Enum> read_word(Reading& reading, const Entry& entry,
                                            const base::EnumNames<Enum, kCount>& names,
                                            std::string_view hint_for_no) {
  const auto index = read_word_index(reading, entry, names.names, hint_for_no);
  if (!index) return std::nullopt;
  return static_cast<Enum>(*index);
}

// "bad KEY 'TEXT': why"
void report_value(Reading& reading, const Entry& entry, const YamlNode& value, const ValueError& error);

// A whole number in plain decimal digits; quoted ones and those with a leading zero are refused.
[[nodiscard]] std::optional<std::int64_t> read_integer(Reading& reading, const Entry& entry);

void report_unknown_key(Reading& reading, const YamlNode& key, std::span<const std::string_view> known);
void report_range(Reading& reading, const Entry& entry, std::string_view range);
[[nodiscard]] std::optional<std::chrono::milliseconds> read_duration_text(Reading& reading,
                                                                          const Entry& entry);

template <auto Member, const Limits<std::chrono::milliseconds>& kLimits, typename Target>
void read_duration(Reading& reading, const Entry& entry, Target& target) {
  const auto value = read_duration_text(reading, entry);
  if (!value) return;
  if (*value < kLimits.min || *value > kLimits.max) {
    return report_range(reading, entry,
                        fmt::format("{} to {}", render_duration(kLimits.min), render_duration(kLimits.max)));
  }
  target.*Member = *value;
}

// Assigns to the number itself, or to an optional one.
template <auto Member, const Limits<std::uint32_t>& kLimits, typename Target>
void read_number(Reading& reading, const Entry& entry, Target& target) {
  const auto value = read_integer(reading, entry);
  if (!value) return;
  if (*value < std::int64_t{kLimits.min} || *value > std::int64_t{kLimits.max}) {
    return report_range(reading, entry, fmt::format("{} to {}", kLimits.min, kLimits.max));
  }
  target.*Member = static_cast<std::uint32_t>(*value);
}

template <typename Target>
[[nodiscard]] std::vector<std::string_view> names_of(std::span<const Key<Target>> keys) {
  std::vector<std::string_view> names;
  for (const auto& key : keys) names.push_back(key.name);
  return names;
}

template <typename Target>
void read_map(Reading& reading, const YamlNode& map, std::span<const Key<Target>> keys, Target& target) {
  for (const auto& entry : map.entries) {
    if (!is_usable_key(entry.key)) continue;
    const auto known = std::ranges::find(keys, entry.key.text, &Key<Target>::name);
    if (known == keys.end()) {
      report_unknown_key(reading, entry.key, names_of(keys));
    } else {
      known->read(reading, entry, target);
    }
  }
}

// Reads one whole document by the table of schema.cpp.
void read_document(Reading& reading, const YamlNode& root, Settings& settings);

}  // namespace allocd::settings
