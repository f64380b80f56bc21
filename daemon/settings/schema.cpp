// SPDX-License-Identifier: Apache-2.0
#include "settings/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.hpp"
#include "settings/reading.hpp"
#include "settings/selector.hpp"
#include "settings/value_error.hpp"

namespace allocd::settings {

namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr int kVersion = 1;
constexpr std::size_t kLongestServiceName = 64;

std::string nothing() {
  return "";
}

// ---- one selector ----------------------------------------------------------------------------------------

// Text that no YAML reader takes for something else.
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

// ---- one service -----------------------------------------------------------------------------------------

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

void read_select(Reading& reading, const Entry& entry, Service& service) {
  if (!has_kind(reading, entry, YamlNode::Kind::list, kSelectorHint)) return;
  if (entry.value.items.empty()) {
    return reading.problems.add(entry.value.place, "'select' is empty", std::string(kSelectorHint));
  }
  for (const auto& item : entry.value.items) read_selector(reading, item, entry.key.place, service);
}

std::string wanted_words() {
  return fmt::format("{}", fmt::join(kWantedNames.names, ", "));
}

void read_allocator(Reading& reading, const Entry& entry, Service& service) {
  if (!has_kind(reading, entry, YamlNode::Kind::scalar, "one of: " + wanted_words(), "a word")) return;
  const auto& text = entry.value.text;
  if (const auto wanted = kWantedNames.parse(text)) {
    service.allocator = *wanted;
    return;
  }
  std::string hint = "one of: " + wanted_words();
  if (looks_like_boolean(text) || text == "none") {
    hint = "'any' asks for nothing";
  } else if (const auto nearest = base::nearest_word(text, kWantedNames.names)) {
    hint = fmt::format("did you mean '{}'?", *nearest);
  }
  reading.problems.add(entry.value.place, fmt::format("unknown allocator {}", quoted(text)), std::move(hint));
}

constexpr std::array<Key<Service>, 2> kServiceKeys{{
    {"select", "list", nothing, [] { return std::string("at least one selector"); },
     "Which units or control groups belong to the service.", read_select},
    {"allocator", "word", [] { return std::string(kWantedNames.name(Service{}.allocator)); }, wanted_words,
     "What malloc of its processes should be; any asks for nothing.", read_allocator},
}};

// ---- all services ----------------------------------------------------------------------------------------

bool is_service_name(std::string_view name) {
  const auto starts = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto continues = [&](char c) { return starts(c) || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kLongestServiceName && starts(name[0]) &&
         std::ranges::all_of(name, continues);
}

std::string service_name_range() {
  return fmt::format("a name of a-z, 0-9, '-' and '_', at most {} long", kLongestServiceName);
}

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

void read_service(Reading& reading, const Entry& entry, Settings& settings) {
  const auto& value = entry.value;
  Service service;
  service.name = entry.key.text;
  service.position = reading.problems.position(entry.key.place);
  const bool empty =
      value.kind == YamlNode::Kind::null || (value.kind == YamlNode::Kind::map && value.entries.empty());
  if (empty) {
    return reading.problems.add(entry.key.place, fmt::format("service {} is empty", quoted(service.name)),
                                std::string(kServiceHint));
  }
  if (!has_kind(reading, entry, YamlNode::Kind::map, kServiceHint)) return;
  read_map<Service>(reading, value, kServiceKeys, service);
  const auto is_select = [](const Entry& e) { return e.key.text == "select"; };
  if (std::ranges::none_of(value.entries, is_select)) {
    reading.problems.add(entry.key.place, fmt::format("service {} has no 'select'", quoted(service.name)),
                         std::string(kServiceHint));
  }
  settings.services.push_back(std::move(service));
}

void read_services(Reading& reading, const Entry& entry, Settings& settings) {
  if (entry.value.kind == YamlNode::Kind::null) return;
  if (!has_kind(reading, entry, YamlNode::Kind::map, "write the name of a service, and its 'select:' below"))
    return;
  std::set<std::string_view> in_this_map;
  for (const auto& service : entry.value.entries) {
    if (!is_usable_key(service.key)) continue;
    if (!in_this_map.insert(service.key.text).second) continue;  // a repeated key, reported as such
    const bool good = check_service_name(reading, service.key) && is_new_service(reading, service.key);
    Settings aside;
    read_service(reading, service, good ? settings : aside);
  }
}

// ---- the file --------------------------------------------------------------------------------------------

constexpr Limits<milliseconds> kInterval{1s, 10min};
constexpr Limits<milliseconds> kRecheckInterval{10s, 24h};
constexpr Limits<milliseconds> kReadDeadline{10ms, 1min};
constexpr Limits<std::uint32_t> kProcesses{1, 65536};

template <auto Member, const Limits<milliseconds>& kLimits>
constexpr Key<Observe> duration_key(std::string_view name, std::string_view meaning) {
  return {name,
          "duration",
          [] { return render_duration(Observe{}.*Member); },
          [] { return fmt::format("{} to {}", render_duration(kLimits.min), render_duration(kLimits.max)); },
          meaning,
          read_duration<Member, kLimits, Observe>};
}

constexpr std::array<Key<Observe>, 4> kObserveKeys{{
    duration_key<&Observe::interval, kInterval>("interval", "How often every process is sampled."),
    duration_key<&Observe::recheck_interval, kRecheckInterval>(
        "recheck_interval", "How often the allocator of a process already identified is looked at again."),
    duration_key<&Observe::read_deadline, kReadDeadline>(
        "read_deadline", "How long reading the evidence of one process may take before it is given up."),
    {"max_processes_per_unit", "whole number",
     [] { return fmt::format("{}", Observe{}.max_processes_per_unit); },
     [] { return fmt::format("{} to {}", kProcesses.min, kProcesses.max); },
     "How many processes of one unit are observed; the rest are counted as dropped.",
     read_number<&Observe::max_processes_per_unit, kProcesses, Observe>},
}};

void read_observe(Reading& reading, const Entry& entry, Settings& settings) {
  if (entry.value.kind == YamlNode::Kind::null) return;
  if (!has_kind(reading, entry, YamlNode::Kind::map, "write keys such as 'interval: 10s' below it")) return;
  read_map<Observe>(reading, entry.value, kObserveKeys, settings.observe);
}

void read_version(Reading& reading, const Entry& entry, Settings& settings) {
  const auto value = read_integer(reading, entry);
  if (!value) return;
  if (*value == kVersion) {
    settings.version = kVersion;
    return;
  }
  reading.problems.add(entry.value.place, fmt::format("unknown version {}", quoted(entry.value.text)),
                       fmt::format("this allocd reads version {}", kVersion));
}

constexpr std::array<Key<Settings>, 3> kFileKeys{{
    {"version", "whole number", [] { return fmt::format("{}", kVersion); },
     [] { return fmt::format("{}", kVersion); }, "The form of this file.", read_version},
    {"observe", "map", nothing, nothing, "How processes are observed.", read_observe},
    {"services", "map", nothing, nothing,
     "The services to observe, by name; without any, every unit that runs a known inference engine is "
     "observed.",
     read_services},
}};

template <typename Target>
void append_docs(std::vector<KeyDoc>& docs, const std::string& prefix, std::span<const Key<Target>> keys) {
  for (const auto& key : keys) {
    docs.push_back({prefix + std::string(key.name), std::string(key.type), key.default_value(), key.range(),
                    std::string(key.meaning)});
  }
}

std::vector<KeyDoc> make_docs() {
  std::vector<KeyDoc> docs;
  const std::span<const Key<Settings>> file_keys(kFileKeys);
  append_docs<Settings>(docs, "", file_keys.first(2));
  append_docs<Observe>(docs, "observe.", kObserveKeys);
  append_docs<Settings>(docs, "", file_keys.subspan(2));
  docs.push_back({"services.NAME", "map", "", service_name_range(), "One service."});
  append_docs<Service>(docs, "services.NAME.", kServiceKeys);
  append_docs<Selector>(docs, "services.NAME.select[].", kSelectorKeys);
  return docs;
}

}  // namespace

std::span<const KeyDoc> documented_keys() {
  static const std::vector<KeyDoc> kDocs = make_docs();
  return kDocs;
}

void read_document(Reading& reading, const YamlNode& root, Settings& settings) {
  if (root.kind == YamlNode::Kind::null || root.kind == YamlNode::Kind::alias) return;
  if (root.kind != YamlNode::Kind::map) {
    const std::string hint = root.kind == YamlNode::Kind::scalar && root.text.find(':') != std::string::npos
                                 ? "is a blank missing after the ':'?"
                                 : "write keys such as 'services:'";
    return reading.problems.add(root.place,
                                fmt::format("the file must hold a map, not {}", describe(root.kind)), hint);
  }
  read_map<Settings>(reading, root, kFileKeys, settings);
}

}  // namespace allocd::settings
