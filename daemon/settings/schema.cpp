// SPDX-License-Identifier: Apache-2.0
#include "settings/schema.hpp"

#include <fmt/format.h>

#include <array>

#include "settings/reading.hpp"
#include "settings/schema_parts.hpp"
#include "settings/value_error.hpp"

namespace allocd::settings {

namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr int kVersion = 1;
// ---- the file --------------------------------------------------------------------------------------------

constexpr Limits<milliseconds> kInterval{1s, 10min};
constexpr Limits<milliseconds> kRecheckInterval{10s, 24h};
constexpr Limits<milliseconds> kReadDeadline{10ms, 1min};
constexpr Limits<milliseconds> kNodeInterval{10s, 1h};
constexpr Limits<milliseconds> kPageCacheInterval{1min, 24h};
constexpr Limits<milliseconds> kCostlyInterval{1min, 24h};
constexpr Limits<milliseconds> kCostlyLongest{1ms, 10s};
constexpr Limits<std::uint32_t> kProcesses{1, 65536};
constexpr Limits<std::uint32_t> kRestarts{1, 64};

template <auto Member, const Limits<milliseconds>& kLimits>
constexpr Key<Observe> duration_key(std::string_view name, std::string_view meaning) {
  return {name,
          "duration",
          [] { return render_duration(Observe{}.*Member); },
          [] { return fmt::format("{} to {}", render_duration(kLimits.min), render_duration(kLimits.max)); },
          meaning,
          read_duration<Member, kLimits, Observe>};
}

constexpr std::array<Key<Observe>, 8> kObserveKeys{{
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
    duration_key<&Observe::node_interval, kNodeInterval>(
        "node_interval", "How often the memory state of the machine, and limits of units, are read."),
    duration_key<&Observe::page_cache_interval, kPageCacheInterval>(
        "page_cache_interval", "How often the page cache of each service's model_paths is looked at."),
    duration_key<&Observe::costly_interval, kCostlyInterval>(
        "costly_interval", "How often costly_reads are wanted of a process; their cost may make it rarer."),
    duration_key<&Observe::costly_longest, kCostlyLongest>(
        "costly_longest", "How long one costly read may be expected to take; longer ones are not tried."),
}};

void read_observe(Reading& reading, const Entry& entry, Settings& settings) {
  if (entry.value.kind == YamlNode::Kind::null) return;
  if (!has_kind(reading, entry, YamlNode::Kind::map, "write keys such as 'interval: 10s' below it")) return;
  read_map<Observe>(reading, entry.value, kObserveKeys, settings.observe);
}

void read_node(Reading& reading, const Entry& entry, Settings& settings) {
  if (entry.value.kind == YamlNode::Kind::null) return;
  if (!has_kind(reading, entry, YamlNode::Kind::map, "write 'expect:' below it")) return;
  read_map<Settings>(reading, entry.value, node_keys(), settings);
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

void read_mode(Reading& reading, const Entry& entry, Settings& settings) {
  const auto mode = read_word(reading, entry, kModeNames, kModeHint);
  if (mode) settings.mode = *mode;
}

void read_persist(Reading& reading, const Entry& entry, Settings& settings) {
  const auto persist = read_word(reading, entry, kPersistNames, kPersistHint);
  if (persist) settings.persist = *persist;
}

constexpr std::array<Key<Settings>, 7> kFileKeys{{
    {"version", "whole number", [] { return fmt::format("{}", kVersion); },
     [] { return fmt::format("{}", kVersion); }, "The form of this file.", read_version},
    {"mode", "word", [] { return std::string(kModeNames.name(Settings{}.mode)); },
     [] { return words_of(kModeNames); },
     "Whether services are only observed, or policy is also enforced by drop-ins; a service may say "
     "otherwise.",
     read_mode},
    {"persist", "word", [] { return std::string(kPersistNames.name(Settings{}.persist)); },
     [] { return words_of(kPersistNames); },
     "Whether drop-ins stay for good (system) or are gone after the next boot (runtime).", read_persist},
    {"max_concurrent_restarts", "whole number",
     [] { return fmt::format("{}", Settings{}.max_concurrent_restarts); },
     [] { return fmt::format("{} to {}", kRestarts.min, kRestarts.max); },
     "How many services may be restarted, and be watched after it, at the same time.",
     read_number<&Settings::max_concurrent_restarts, kRestarts, Settings>},
    {"observe", "map", nothing, nothing, "How processes are observed.", read_observe},
    {"node", "map", nothing, nothing, "What is asked of the machine itself.", read_node},
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
  append_docs<Settings>(docs, "", file_keys.first(kFileKeys.size() - 1));
  append_docs<Observe>(docs, "observe.", kObserveKeys);
  append_docs<Settings>(docs, "node.", node_keys());
  append_docs<Settings>(docs, "", file_keys.last(1));
  docs.push_back({"services.NAME", "map", "", service_name_range(), "One service."});
  append_docs<Service>(docs, "services.NAME.", service_keys());
  append_docs<Selector>(docs, "services.NAME.select[].", selector_keys());
  append_docs<GlibcTunables>(docs, "services.NAME.glibc.", glibc_keys());
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
