// SPDX-License-Identifier: Apache-2.0
// `services:`: the name of each service, and that it is defined once.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "settings/reading.hpp"
#include "settings/schema_parts.hpp"
#include "settings/value_error.hpp"

namespace allocd::settings {

namespace {

constexpr std::size_t kLongestServiceName = 64;

bool is_service_name(std::string_view name) {
  const auto starts = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto continues = [&](char c) { return starts(c) || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kLongestServiceName && starts(name[0]) &&
         std::ranges::all_of(name, continues);
}

}  // namespace

std::string service_name_range() {
  return fmt::format("a name of a-z, 0-9, '-' and '_', at most {} long", kLongestServiceName);
}

namespace {

bool check_service_name(Reading& reading, const YamlNode& key) {
  if (key.plain && (looks_like_number(key.text) || looks_like_boolean(key.text))) {
    const auto* kind = looks_like_number(key.text) ? "number" : "boolean";
    reading.problems.add(key.place,
                         fmt::format("a service name must be a text, not the {} {}", kind, quoted(key.text)),
                         "choose a name that begins with a letter");
    return false;
  }
  if (is_service_name(key.text)) return true;
  reading.problems.add(key.place, fmt::format("bad service name {}", quoted(key.text)),
                       "write " + service_name_range());
  return false;
}

bool is_new_service(Reading& reading, const YamlNode& key) {
  const auto [known, is_new] = reading.seen.services.emplace(key.text, reading.problems.position(key.place));
  if (is_new) return true;
  reading.problems.add(key.place, fmt::format("service {} is defined twice", quoted(key.text)),
                       fmt::format("first at {}", render_position(known->second)));
  return false;
}

constexpr std::string_view kServiceHint = "write 'select:' with at least one selector below it";

// Nothing when it holds nothing to go on with.
std::optional<Service> read_service(Reading& reading, const Entry& entry) {
  const auto& value = entry.value;
  Service service;
  service.name = entry.key.text;
  service.position = reading.problems.position(entry.key.place);
  const bool empty =
      value.kind == YamlNode::Kind::null || (value.kind == YamlNode::Kind::map && value.entries.empty());
  if (empty) {
    reading.problems.add(entry.key.place, fmt::format("service {} is empty", quoted(service.name)),
                         std::string(kServiceHint));
    return std::nullopt;
  }
  if (!has_kind(reading, entry, YamlNode::Kind::map, kServiceHint)) return std::nullopt;
  read_map<Service>(reading, value, service_keys(), service);
  check_service_keys(reading, value.entries, service);
  const auto is_select = [](const Entry& e) { return e.key.text == "select"; };
  if (std::ranges::none_of(value.entries, is_select)) {
    reading.problems.add(entry.key.place, fmt::format("service {} has no 'select'", quoted(service.name)),
                         std::string(kServiceHint));
  }
  return service;
}

}  // namespace

void read_services(Reading& reading, const Entry& entry, Settings& settings) {
  if (entry.value.kind == YamlNode::Kind::null) return;
  if (!has_kind(reading, entry, YamlNode::Kind::map, "write the name of a service, and its 'select:' below"))
    return;
  std::set<std::string_view> in_this_map;
  for (const auto& service : entry.value.entries) {
    if (!is_usable_key(service.key)) continue;
    if (!in_this_map.insert(service.key.text).second) continue;  // a repeated key, reported as such
    const bool good = check_service_name(reading, service.key) && is_new_service(reading, service.key);
    auto read = read_service(reading, service);
    if (!good || !read) continue;
    note_idle_keys(reading, service.value.entries, *read);
    settings.services.push_back(std::move(*read));
  }
}

}  // namespace allocd::settings
