// SPDX-License-Identifier: Apache-2.0
// `node:`: what an operator expects of the machine. The keys and their values are the node layer's.
#include <fmt/format.h>

#include <array>
#include <map>
#include <optional>
#include <string>

#include "base/text.hpp"
#include "node/expect.hpp"
#include "node/expect_value.hpp"
#include "settings/reading.hpp"
#include "settings/schema_parts.hpp"
#include "settings/value_error.hpp"

namespace allocd::settings {

namespace {

constexpr std::string_view kHugepages = "hugepages.";
constexpr std::size_t kLongestMisspelling = 64;

std::string known_keys() {
  std::string names;
  for (const auto& key : node::expectation_keys()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", key.name);
  }
  return names;
}

// "thp: {enabled: never}": the dot is part of the name here.
void report_nested(Reading& reading, const Entry& entry) {
  const auto& inside = entry.value.entries;
  const bool has_key = !inside.empty() && is_usable_key(inside.front().key);
  const auto name = has_key ? fmt::format("{}.{}", entry.key.text, inside.front().key.text) : "thp.enabled";
  reading.problems.add(entry.value_place(),
                       fmt::format("{} must be a value, not a map", quoted(entry.key.text)),
                       fmt::format("write a key as one word, such as {}", quoted(name + ": VALUE")));
}

std::string hint_for_unknown(const Reading& reading, std::string_view name) {
  if (name.starts_with(kHugepages))
    return "a size is a power of two, as in 'hugepages.2M' and 'hugepages.1G'";
  // Looking for the nearest word costs more than the rest: not for problems that nobody will see.
  const bool worthwhile = !reading.problems.full() && name.size() <= kLongestMisspelling;
  const auto nearest = worthwhile ? node::nearest_expectation_key(name) : std::nullopt;
  return nearest ? fmt::format("did you mean '{}'?", *nearest) : "known keys: " + known_keys();
}

void report_unknown_expectation(Reading& reading, const YamlNode& key) {
  reading.problems.add(key.place, fmt::format("unknown expectation {}", quoted(key.text)),
                       hint_for_unknown(reading, key.text));
}

// Which size the key is of; nothing for other keys.
std::optional<std::uint64_t> page_size_of(std::string_view key) {
  if (!key.starts_with(kHugepages)) return std::nullopt;
  return node::parse_page_size(key.substr(kHugepages.size()));
}

// One size has several spellings, and one pool. What an earlier file says of it is replaced, however spelt.
using Sizes = std::map<std::uint64_t, std::string>;
bool is_first_of_its_size(Reading& reading, const YamlNode& key, Sizes& sizes, node::Expectations& expect) {
  const auto size = page_size_of(key.text);
  if (!size) return true;
  const auto [known, is_new] = sizes.emplace(*size, key.text);
  if (!is_new) {
    reading.problems.add(key.place,
                         fmt::format("{} is the size of {}", quoted(key.text), quoted(known->second)),
                         "remove one of them");
    return false;
  }
  std::erase_if(expect, [&](const auto& entry) { return page_size_of(entry.first) == size; });
  return true;
}

// A number is as good as a text here: 0, ">=262144", madvise|never.
void read_expectation(Reading& reading, const Entry& entry, Sizes& sizes, node::Expectations& expect) {
  if (entry.value.kind == YamlNode::Kind::map) return report_nested(reading, entry);
  const auto* known = node::find_expectation_key(entry.key.text);
  if (known == nullptr) return report_unknown_expectation(reading, entry.key);
  if (!has_kind(reading, entry, YamlNode::Kind::scalar, "write " + known->range(), "a value")) return;
  const std::string value(base::trim(entry.value.text));
  if (const auto wrong = node::check_expectation(entry.key.text, value)) {
    return report_value(reading, entry, entry.value, {base::escape_for_terminal(*wrong), ""});
  }
  if (is_first_of_its_size(reading, entry.key, sizes, expect)) expect[entry.key.text] = value;
}

void read_expect(Reading& reading, const Entry& entry, Settings& settings) {
  if (entry.value.kind == YamlNode::Kind::null) return;
  if (!has_kind(reading, entry, YamlNode::Kind::map, "write keys such as 'thp.enabled: madvise' below it")) {
    return;
  }
  Sizes sizes;
  for (const auto& expectation : entry.value.entries) {
    if (is_usable_key(expectation.key)) read_expectation(reading, expectation, sizes, settings.expect);
  }
}

constexpr std::array<Key<Settings>, 1> kNodeKeys{{
    {"expect", "map", nothing, known_keys,
     "What the machine's memory settings should be; what differs is shown, and never changed.", read_expect},
}};

}  // namespace

std::span<const Key<Settings>> node_keys() {
  return kNodeKeys;
}

}  // namespace allocd::settings
