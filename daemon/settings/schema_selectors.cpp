// SPDX-License-Identifier: Apache-2.0
// `select:`: which units and control groups belong to a service.
#include <fmt/format.h>

#include <array>

#include "settings/reading.hpp"
#include "settings/schema_parts.hpp"
#include "settings/selector.hpp"
#include "settings/value_error.hpp"

namespace allocd::settings {

namespace {

using ParsePattern = std::expected<std::string, ValueError> (*)(std::string_view);

void read_pattern(Reading& reading, const Entry& entry, SelectorKind kind, ParsePattern parse,
                  std::string_view example, Selector& selector) {
  const auto text = read_text(reading, entry, fmt::format("such as '{}: {}'", entry.key.text, example));
  if (!text) return;
  if (text->empty()) {
    return reading.problems.add(entry.value.place, "empty selector", fmt::format("such as {}", example));
  }
  auto pattern = parse(*text);
  if (!pattern) {
    return reading.problems.add(
        entry.value.place,
        fmt::format("bad selector {}: {}", quoted(fmt::format("{}: {}", entry.key.text, *text)),
                    pattern.error().message),
        pattern.error().hint);
  }
  selector = {kind, std::move(*pattern), reading.problems.position(entry.value.place)};
}

void read_unit(Reading& reading, const Entry& entry, Selector& selector) {
  read_pattern(reading, entry, SelectorKind::unit, parse_unit_pattern, "vllm.service", selector);
}

void read_cgroup(Reading& reading, const Entry& entry, Selector& selector) {
  read_pattern(reading, entry, SelectorKind::cgroup, parse_cgroup_pattern, "/machine.slice/libpod-*.scope",
               selector);
}

constexpr std::array<Key<Selector>, 2> kSelectorKeys{{
    {"unit", "text", nothing, [] { return std::string("name or glob of .service units"); },
     "Selects loaded systemd services; a name without a suffix gets .service.", read_unit},
    {"cgroup", "text", nothing, [] { return std::string("glob over cgroup paths, beginning with '/'"); },
     "Selects control groups that no service of ours starts, such as containers; these are observed only.",
     read_cgroup},
}};

constexpr std::string_view kSelectorHint =
    "write '- unit: vllm.service' or '- cgroup: /machine.slice/x.scope'";

// `seen` is asked in the normal form, so "vllm" and "vllm.service" are the same.
void add_selector(Reading& reading, Selector selector, Service& service) {
  if (selector.pattern.empty()) return;
  const auto [known, is_new] =
      reading.seen.selectors.try_emplace({selector.kind, selector.pattern}, selector.position, service.name);
  if (is_new) {
    service.selectors.push_back(std::move(selector));
    return;
  }
  reading.problems.add(
      {selector.position.line, selector.position.column},
      fmt::format("repeated selector '{}: {}'", kSelectorKindNames.name(selector.kind), selector.pattern),
      fmt::format("first in service '{}' at {}", known->second.service,
                  render_position(known->second.position)));
}

void read_selector(Reading& reading, const YamlNode& item, Place list_place, Service& service) {
  switch (item.kind) {
    case YamlNode::Kind::alias:
      return;
    case YamlNode::Kind::null:
      return reading.problems.add(list_place, "empty selector", std::string(kSelectorHint));
    case YamlNode::Kind::scalar:
      return reading.problems.add(
          item.place, "a selector must be a map, not a text",
          "write " +
              quoted(fmt::format("- {}: {}", item.text.starts_with('/') ? "cgroup" : "unit", item.text)));
    case YamlNode::Kind::list:
      return reading.problems.add(item.place, "a selector must be a map, not a list",
                                  std::string(kSelectorHint));
    case YamlNode::Kind::map:
      break;
  }
  if (item.entries.empty())
    return reading.problems.add(item.place, "empty selector", std::string(kSelectorHint));
  Selector selector;
  read_map<Selector>(reading, item, kSelectorKeys, selector);
  if (item.entries.size() > 1) {
    return reading.problems.add(item.place, "a selector holds one key", "begin each with '- '");
  }
  add_selector(reading, std::move(selector), service);
}

}  // namespace

void read_select(Reading& reading, const Entry& entry, Service& service) {
  if (!has_kind(reading, entry, YamlNode::Kind::list, kSelectorHint)) return;
  if (entry.value.items.empty()) {
    return reading.problems.add(entry.value.place, "'select' is empty", std::string(kSelectorHint));
  }
  for (const auto& item : entry.value.items) read_selector(reading, item, entry.key.place, service);
}

std::span<const Key<Selector>> selector_keys() {
  return kSelectorKeys;
}

}  // namespace allocd::settings
