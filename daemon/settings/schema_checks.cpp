// SPDX-License-Identifier: Apache-2.0
// Keys of one service that need one another, or that are of no use together.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "settings/reading.hpp"
#include "settings/schema_parts.hpp"

namespace allocd::settings {

namespace {

const Entry* find_entry(const std::vector<Entry>& entries, std::string_view key) {
  const auto found = std::ranges::find_if(entries, [&](const Entry& entry) { return entry.key.text == key; });
  return found == entries.end() ? nullptr : &*found;
}

// A word that was refused has been reported; what hangs on it is then left unjudged.
template <typename Enum, std::size_t kCount>
bool was_understood(const std::vector<Entry>& entries, std::string_view key,
                    const base::EnumNames<Enum, kCount>& names) {
  const auto* entry = find_entry(entries, key);
  return entry == nullptr || names.parse(entry->value.text).has_value();
}

// Which allocators a key goes with.
struct Partner {
  std::string_view key;
  bool (*is_set)(const Service&);
  bool (*goes_with)(Wanted);
  std::string_view partners;
};

constexpr std::array<Partner, 4> kPartners{{
    {"library", [](const Service& s) { return s.library.has_value(); },
     [](Wanted w) { return w != Wanted::any && w != Wanted::glibc; }, "jemalloc, tcmalloc or mimalloc"},
    {"malloc_conf", [](const Service& s) { return !s.malloc_conf.empty(); },
     [](Wanted w) { return w == Wanted::jemalloc; }, "jemalloc"},
    {"extra_preload", [](const Service& s) { return !s.extra_preload.empty(); },
     [](Wanted w) { return w != Wanted::any; }, "glibc, jemalloc, tcmalloc or mimalloc"},
    {"glibc", [](const Service& s) { return s.glibc != GlibcTunables{}; },
     [](Wanted w) { return w == Wanted::glibc; }, "glibc"},
}};

void check_partners(Reading& reading, const std::vector<Entry>& entries, const Service& service) {
  for (const auto& partner : kPartners) {
    const auto* entry = find_entry(entries, partner.key);
    if (entry == nullptr || !partner.is_set(service) || partner.goes_with(service.allocator)) continue;
    reading.problems.add(entry->key.place,
                         fmt::format("'{}' has no use here: the allocator is {}", partner.key,
                                     kWantedNames.name(service.allocator)),
                         fmt::format("it goes with allocator: {}", partner.partners));
  }
}

void check_window(Reading& reading, const std::vector<Entry>& entries, const Service& service) {
  const auto* window = find_entry(entries, "window");
  const auto* restart = find_entry(entries, "restart");
  if (service.restart == RestartWhen::window && window == nullptr) {
    reading.problems.add(restart->value.place, "'restart: window' needs a 'window'",
                         "write 'window: Sat,Sun 02:00..05:00' beside it");
  }
  if (service.restart != RestartWhen::window && window != nullptr) {
    reading.problems.add(
        window->key.place,
        fmt::format("'window' has no use here: 'restart' is {}", kRestartWhenNames.name(service.restart)),
        "write 'restart: window' beside it");
  }
}

void check_enforced(Reading& reading, const std::vector<Entry>& entries, const Service& service) {
  if (service.mode != Mode::enforce || service.allocator != Wanted::any) return;
  reading.problems.add(find_entry(entries, "mode")->value.place, "nothing to enforce: the allocator is any",
                       "write 'allocator: jemalloc', or another one, beside it");
}

}  // namespace

void check_service_keys(Reading& reading, const std::vector<Entry>& entries, const Service& service) {
  if (was_understood(entries, "allocator", kWantedNames)) {
    check_partners(reading, entries, service);
    check_enforced(reading, entries, service);
  }
  if (was_understood(entries, "restart", kRestartWhenNames)) check_window(reading, entries, service);
}

void note_idle_keys(Reading& reading, const std::vector<Entry>& entries, const Service& service) {
  if (service.selectors.empty() || selects_units(service)) return;
  constexpr std::array<std::string_view, 4> kObserved{"select", "allocator", "model_paths", "costly_reads"};
  for (const auto& [key, value] : entries) {
    const bool observed = std::ranges::find(kObserved, key.text) != kObserved.end();
    const bool only_observes = key.text == "mode" && service.mode != Mode::enforce;
    const bool known =
        std::ranges::find(service_keys(), key.text, &Key<Service>::name) != service_keys().end();
    if (!known || observed || only_observes) continue;
    reading.seen.idle_keys.push_back({reading.file, key.place, key.text, service.name});
  }
}

}  // namespace allocd::settings
