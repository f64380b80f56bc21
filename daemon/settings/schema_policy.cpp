// SPDX-License-Identifier: Apache-2.0
// The keys of one service: what its malloc should be, and how that is brought about.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "settings/byte_size.hpp"
#include "settings/policy_values.hpp"
#include "settings/reading.hpp"
#include "settings/schema_parts.hpp"
#include "settings/value_error.hpp"

namespace allocd::settings {

namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

// ---- words -----------------------------------------------------------------------------------------------

void read_allocator(Reading& reading, const Entry& entry, Service& service) {
  const auto wanted = read_word(reading, entry, kWantedNames, "'any' asks for nothing");
  if (wanted) service.allocator = *wanted;
}

void read_mode(Reading& reading, const Entry& entry, Service& service) {
  const auto mode = read_word(reading, entry, kModeNames, kModeHint);
  if (mode) service.mode = mode;
}

void read_persist(Reading& reading, const Entry& entry, Service& service) {
  const auto persist = read_word(reading, entry, kPersistNames, kPersistHint);
  if (persist) service.persist = persist;
}

void read_precedence(Reading& reading, const Entry& entry, Service& service) {
  const auto precedence =
      read_word(reading, entry, kPrecedenceNames, "'yield' leaves a preload of the unit's own in place");
  if (precedence) service.precedence = *precedence;
}

void read_restart(Reading& reading, const Entry& entry, Service& service) {
  const auto when = read_word(reading, entry, kRestartWhenNames, "'never' leaves restarts to you");
  if (when) service.restart = *when;
}

// ---- texts -----------------------------------------------------------------------------------------------

constexpr std::string_view kAuto = "auto";

void read_library(Reading& reading, const Entry& entry, Service& service) {
  const auto text = read_text(reading, entry, "auto, or an absolute path");
  if (!text || *text == kAuto) return;
  auto path = parse_preload_path(*text);
  if (!path && !text->starts_with('/')) path.error().hint = "write auto, or an absolute path";
  if (!path) return report_value(reading, entry, entry.value, path.error());
  service.library = std::move(*path);
}

void read_malloc_conf(Reading& reading, const Entry& entry, Service& service) {
  const auto text = read_text(reading, entry, "such as 'background_thread:true,dirty_decay_ms:1000'");
  if (!text) return;
  auto conf = parse_malloc_conf(*text);
  if (!conf) return report_value(reading, entry, entry.value, conf.error());
  service.malloc_conf = std::move(*conf);
}

void read_health(Reading& reading, const Entry& entry, Service& service) {
  const auto text = read_text(reading, entry, "such as http://127.0.0.1:8000/health");
  if (!text) return;
  const auto url = parse_health_url(*text);
  if (!url) return report_value(reading, entry, entry.value, url.error());
  service.health = *text;
}

// ---- lists -----------------------------------------------------------------------------------------------

// Reports an item that is no text; what is left out has no place of its own.
bool is_text_item(Reading& reading, const Entry& entry, const YamlNode& item, std::string_view hint) {
  if (item.kind == YamlNode::Kind::scalar) return !item.tagged;
  if (item.kind == YamlNode::Kind::alias || item.tagged) return false;
  const bool left_out = item.kind == YamlNode::Kind::null;
  reading.problems.add(
      left_out ? entry.key.place : item.place,
      left_out ? fmt::format("empty item in '{}'", entry.key.text)
               : fmt::format("an item of '{}' must be a text, not {}", entry.key.text, describe(item.kind)),
      std::string(hint));
  return false;
}

constexpr std::string_view kPreloadHint = "write '- /usr/lib/libexample.so' below it";

void read_extra_preload(Reading& reading, const Entry& entry, Service& service) {
  if (!has_kind(reading, entry, YamlNode::Kind::list, kPreloadHint)) return;
  for (const auto& item : entry.value.items) {
    if (!is_text_item(reading, entry, item, kPreloadHint)) continue;
    auto path = parse_preload_path(item.text);
    if (path && std::ranges::find(service.extra_preload, *path) != service.extra_preload.end()) {
      path = refuse("it stands there twice", "remove one of them");
    }
    if (!path) {
      report_value(reading, entry, item, path.error());
    } else {
      service.extra_preload.push_back(std::move(*path));
    }
  }
}

constexpr std::size_t kMostModelPaths = 32;
constexpr std::string_view kModelHint = "write '- /srv/models/llama/*.safetensors' below it";

void read_model_paths(Reading& reading, const Entry& entry, Service& service) {
  if (!has_kind(reading, entry, YamlNode::Kind::list, kModelHint)) return;
  for (const auto& item : entry.value.items) {
    if (!is_text_item(reading, entry, item, kModelHint)) continue;
    auto pattern = parse_file_pattern(item.text);
    if (pattern && std::ranges::find(service.model_paths, *pattern) != service.model_paths.end()) {
      pattern = refuse("it stands there twice", "remove one of them");
    }
    if (pattern && service.model_paths.size() == kMostModelPaths) {
      pattern = refuse(fmt::format("a service has at most {} of them", kMostModelPaths),
                       "a pattern may name a directory, or hold '**'");
    }
    if (!pattern) {
      report_value(reading, entry, item, pattern.error());
    } else {
      service.model_paths.push_back(std::move(*pattern));
    }
  }
}

void read_costly_reads(Reading& reading, const Entry& entry, Service& service) {
  const auto hint = "a list of: " + words_of(kernel::kCostlyKindNames);
  if (!has_kind(reading, entry, YamlNode::Kind::list, hint)) return;
  for (const auto& item : entry.value.items) {
    if (!is_text_item(reading, entry, item, hint)) continue;
    const auto kind = kernel::kCostlyKindNames.parse(item.text);
    if (!kind) {
      report_value(reading, entry, item, {"there is no such read", hint});
    } else if (std::ranges::find(service.costly_reads, *kind) != service.costly_reads.end()) {
      report_value(reading, entry, item, {"it stands there twice", "remove one of them"});
    } else {
      service.costly_reads.push_back(*kind);
    }
  }
}

constexpr std::string_view kWindowHint = "such as 'Sat,Sun 02:00..05:00', or a list of such spans";

void read_one_window(Reading& reading, const Entry& entry, const YamlNode& item, Service& service) {
  const auto window = parse_window(item.text);
  if (!window) return report_value(reading, entry, item, window.error());
  service.windows.push_back(*window);
}

void read_window(Reading& reading, const Entry& entry, Service& service) {
  if (entry.value.kind != YamlNode::Kind::list) {
    if (!has_kind(reading, entry, YamlNode::Kind::scalar, kWindowHint, "a span of time")) return;
    return read_one_window(reading, entry, entry.value, service);
  }
  if (entry.value.tagged) return;
  if (entry.value.items.empty()) {
    return reading.problems.add(entry.value.place, "'window' is empty", std::string(kWindowHint));
  }
  for (const auto& item : entry.value.items) {
    if (is_text_item(reading, entry, item, kWindowHint)) read_one_window(reading, entry, item, service);
  }
}

// ---- glibc -----------------------------------------------------------------------------------------------

constexpr Limits<std::uint32_t> kArenas{1, 4096};
constexpr Limits<std::uint64_t> kTrimThreshold{0, std::uint64_t{1} << 40U};
constexpr Limits<std::uint64_t> kMmapThreshold{0, std::uint64_t{32} << 20U};

template <const Limits<std::uint64_t>& kLimits>
std::string byte_range() {
  return fmt::format("{} to {}", render_byte_size(kLimits.min), render_byte_size(kLimits.max));
}

template <auto Member, const Limits<std::uint64_t>& kLimits>
void read_byte_size(Reading& reading, const Entry& entry, GlibcTunables& tunables) {
  if (!has_kind(reading, entry, YamlNode::Kind::scalar, "write a byte size, such as 128K", "a byte size"))
    return;
  const auto bytes = parse_byte_size(entry.value.text);
  if (!bytes) return report_value(reading, entry, entry.value, bytes.error());
  if (*bytes < kLimits.min || *bytes > kLimits.max)
    return report_range(reading, entry, byte_range<kLimits>());
  tunables.*Member = *bytes;
}

constexpr std::array<Key<GlibcTunables>, 3> kGlibcKeys{{
    {"arena_max", "whole number", nothing, [] { return fmt::format("{} to {}", kArenas.min, kArenas.max); },
     "How many arenas malloc uses at most.", read_number<&GlibcTunables::arena_max, kArenas, GlibcTunables>},
    {"trim_threshold", "byte size", nothing, byte_range<kTrimThreshold>,
     "How much free memory at the top of the heap is kept before it is given back.",
     read_byte_size<&GlibcTunables::trim_threshold, kTrimThreshold>},
    {"mmap_threshold", "byte size", nothing, byte_range<kMmapThreshold>,
     "From which size on an allocation gets a mapping of its own.",
     read_byte_size<&GlibcTunables::mmap_threshold, kMmapThreshold>},
}};

void read_glibc(Reading& reading, const Entry& entry, Service& service) {
  constexpr std::string_view kHint = "write keys such as 'arena_max: 2' below it";
  if (!has_kind(reading, entry, YamlNode::Kind::map, kHint)) return;
  read_map<GlibcTunables>(reading, entry.value, kGlibcKeys, service.glibc);
}

// ---- the table -------------------------------------------------------------------------------------------

constexpr Limits<milliseconds> kSettle{10s, 24h};

std::string path_range() {
  return "absolute, without blank, ':' and '$'";
}

constexpr std::array<Key<Service>, 15> kServiceKeys{{
    {"select", "list", nothing, [] { return std::string("at least one selector"); },
     "Which units or control groups belong to the service.", read_select},
    {"allocator", "word", [] { return std::string(kWantedNames.name(Service{}.allocator)); },
     [] { return words_of(kWantedNames); }, "What malloc of its processes should be; any asks for nothing.",
     read_allocator},
    {"mode", "word", nothing, [] { return words_of(kModeNames); },
     "As the mode of all services, for this one.", read_mode},
    {"library", "text", [] { return std::string(kAuto); }, [] { return "auto, or a path: " + path_range(); },
     "The allocator's library; auto looks where distributions install it.", read_library},
    {"malloc_conf", "text", nothing, [] { return std::string("key:value pairs with ',' between them"); },
     "jemalloc's options; with allocator: jemalloc only.", read_malloc_conf},
    {"extra_preload", "list", nothing, [] { return "paths: " + path_range(); },
     "Libraries that are preloaded too, behind the allocator's.", read_extra_preload},
    {"glibc", "map", nothing, nothing, "Settings of glibc's own malloc; with allocator: glibc only.",
     read_glibc},
    {"precedence", "word", [] { return std::string(kPrecedenceNames.name(Service{}.precedence)); },
     [] { return words_of(kPrecedenceNames); },
     "Whether the drop-in overrides a preload that the unit's own files set (last) or leaves it (yield).",
     read_precedence},
    {"restart", "word", [] { return std::string(kRestartWhenNames.name(Service{}.restart)); },
     [] { return words_of(kRestartWhenNames); }, "When the service may be restarted to take up its policy.",
     read_restart},
    {"window", "text or list", nothing, [] { return std::string("[DAYS] HH:MM..HH:MM [UTC]"); },
     "The spans of the week in which it may be restarted; with restart: window only.", read_window},
    {"settle", "duration", [] { return render_duration(Service{}.settle); },
     [] { return fmt::format("{} to {}", render_duration(kSettle.min), render_duration(kSettle.max)); },
     "How long a restarted service is watched before the policy counts as good.",
     read_duration<&Service::settle, kSettle, Service>},
    {"health", "text", nothing,
     [] { return std::string("http://127.0.0.1:PORT/PATH, or [::1] or localhost"); },
     "A URL that must answer with success while the service is watched.", read_health},
    {"persist", "word", nothing, [] { return words_of(kPersistNames); },
     "As persist of all services, for this one.", read_persist},
    {"model_paths", "list", nothing,
     [] {
       return fmt::format("at most {} absolute paths, with '*', '?', '[...]' and '**'", kMostModelPaths);
     },
     "Files of its models, of which is shown how much is in the page cache; a directory is all below it.",
     read_model_paths},
    {"costly_reads", "list", nothing, [] { return words_of(kernel::kCostlyKindNames); },
     "Files of its processes that are read too, though each read walks the pages of a process and holds it "
     "up.",
     read_costly_reads},
}};

}  // namespace

std::span<const Key<Service>> service_keys() {
  return kServiceKeys;
}

std::span<const Key<GlibcTunables>> glibc_keys() {
  return kGlibcKeys;
}

}  // namespace allocd::settings
