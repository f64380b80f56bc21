// SPDX-License-Identifier: Apache-2.0
#include "settings/reading.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "base/text.hpp"
#include "settings/schema.hpp"
#include "settings/value_error.hpp"

namespace allocd::settings {

namespace {

constexpr std::size_t kLongestMisspelling = 64;

struct Home {
  std::string_view name;    // "interval"
  std::string_view parent;  // "observe"
};

// Every key below the top level, and where it belongs.
std::vector<Home> all_homes() {
  std::vector<Home> homes;
  for (const auto& key : documented_keys()) {
    const std::string_view path = key.path;
    const auto dot = path.rfind('.');
    if (dot != std::string_view::npos) homes.push_back({path.substr(dot + 1), path.substr(0, dot)});
  }
  return homes;
}

// The key may be right, or nearly, and stand in the wrong place.
std::optional<Home> nearest_home(std::string_view word) {
  const auto homes = all_homes();
  std::vector<std::string_view> names;
  names.reserve(homes.size());
  for (const auto& home : homes) names.push_back(home.name);
  const auto nearest = base::nearest_word(word, names);
  if (!nearest) return std::nullopt;
  return *std::ranges::find(homes, *nearest, &Home::name);
}

std::string integer_hint(const YamlNode& value) {
  const std::string_view text = value.text;
  const auto digits = text.substr(std::min(text.find_first_not_of('0'), text.size()));
  if (!value.plain && base::parse_u64(text)) return "remove the quotes";
  if (!text.starts_with('0') || !base::parse_u64(text)) return "write decimal digits only";
  return fmt::format("a leading zero means octal to some YAML readers: write {}",
                     digits.empty() ? "0" : digits);
}

}  // namespace

bool has_kind(Reading& reading, const Entry& entry, YamlNode::Kind wanted, std::string_view hint,
              std::string_view wanted_name) {
  const auto& value = entry.value;
  if (value.kind == YamlNode::Kind::alias || value.tagged) return false;
  if (value.kind == wanted) return true;
  const auto name = quoted(entry.key.text);
  if (wanted_name.empty()) wanted_name = describe(wanted);
  reading.problems.add(entry.value_place(),
                       value.kind == YamlNode::Kind::null
                           ? fmt::format("{} has no value", name)
                           : fmt::format("{} must be {}, not {}", name, wanted_name, describe(value.kind)),
                       std::string(hint));
  return false;
}

std::optional<std::string_view> read_text(Reading& reading, const Entry& entry, std::string_view hint) {
  if (!has_kind(reading, entry, YamlNode::Kind::scalar, hint)) return std::nullopt;
  const auto& value = entry.value;
  if (!value.plain || (!looks_like_number(value.text) && !looks_like_boolean(value.text))) return value.text;
  reading.problems.add(value.place,
                       fmt::format("{} must be a text, not the {} {}", quoted(entry.key.text),
                                   looks_like_number(value.text) ? "number" : "boolean", quoted(value.text)),
                       fmt::format("write {} in quotes if you mean the text", quoted(value.text)));
  return std::nullopt;
}

std::optional<std::size_t> read_word_index(Reading& reading, const Entry& entry,
                                           std::span<const std::string_view> words,
                                           std::string_view hint_for_no) {
  const auto list = fmt::format("one of: {}", fmt::join(words, ", "));
  if (!has_kind(reading, entry, YamlNode::Kind::scalar, list, "a word")) return std::nullopt;
  const std::string_view text = entry.value.text;
  const auto known = std::ranges::find(words, text);
  if (known != words.end()) return static_cast<std::size_t>(known - words.begin());
  std::string hint = list;
  if (looks_like_boolean(text) || text == "none") {
    hint = hint_for_no;
  } else if (const auto nearest = base::nearest_word(text, words)) {
    hint = fmt::format("did you mean '{}'?", *nearest);
  }
  reading.problems.add(entry.value.place, fmt::format("unknown {} {}", entry.key.text, quoted(text)),
                       std::move(hint));
  return std::nullopt;
}

void report_value(Reading& reading, const Entry& entry, const YamlNode& value, const ValueError& error) {
  reading.problems.add(value.place,
                       fmt::format("bad {} {}: {}", entry.key.text, quoted(value.text), error.message),
                       error.hint);
}

std::optional<std::int64_t> read_integer(Reading& reading, const Entry& entry) {
  if (!has_kind(reading, entry, YamlNode::Kind::scalar, "write a whole number", "a whole number"))
    return std::nullopt;
  const auto& value = entry.value;
  const bool negative = value.text.starts_with('-');
  const auto digits = std::string_view(value.text).substr(negative ? 1 : 0);
  const auto number = base::parse_u64(digits);
  // More digits than fit are a whole number all the same, and out of every range.
  const bool whole = !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
  if (!value.plain || !whole || (digits.size() > 1 && digits[0] == '0')) {
    reading.problems.add(
        value.place,
        fmt::format("{} must be a whole number, not {}", quoted(entry.key.text),
                    value.plain ? quoted(value.text) : fmt::format("the text {}", quoted(value.text))),
        integer_hint(value));
    return std::nullopt;
  }
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const auto bounded = static_cast<std::int64_t>(std::min(number.value_or(kMost), kMost));
  return negative ? -bounded : bounded;
}

void report_unknown_key(Reading& reading, const YamlNode& key, std::span<const std::string_view> known) {
  std::string hint = fmt::format("known keys: {}", fmt::join(known, ", "));
  // Looking for the nearest word costs more than the rest: not for problems that nobody will see.
  const bool worthwhile = !reading.problems.full() && key.text.size() <= kLongestMisspelling;
  if (const auto nearest = worthwhile ? base::nearest_word(key.text, known) : std::nullopt) {
    hint = fmt::format("did you mean '{}'?", *nearest);
  } else if (const auto home = worthwhile ? nearest_home(key.text) : std::nullopt) {
    hint = fmt::format("'{}' belongs under '{}'; {}", home->name, home->parent, hint);
  }
  reading.problems.add(key.place, fmt::format("unknown key {}", quoted(key.text)), std::move(hint));
}

void report_range(Reading& reading, const Entry& entry, std::string_view range) {
  reading.problems.add(
      entry.value.place,
      fmt::format("{} is {}, out of range", quoted(entry.key.text), quoted(entry.value.text)),
      fmt::format("write {}", range));
}

std::optional<std::chrono::milliseconds> read_duration_text(Reading& reading, const Entry& entry) {
  if (!has_kind(reading, entry, YamlNode::Kind::scalar, "write a duration, such as 10s", "a duration"))
    return std::nullopt;
  const auto value = parse_duration(entry.value.text);
  if (value) return *value;
  reading.problems.add(entry.value.place,
                       fmt::format("bad duration {} for {}: {}", quoted(entry.value.text),
                                   quoted(entry.key.text), value.error().message),
                       value.error().hint);
  return std::nullopt;
}

}  // namespace allocd::settings
