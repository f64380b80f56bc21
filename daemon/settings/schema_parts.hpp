// SPDX-License-Identifier: Apache-2.0
// How the schema files share one table: each gives its keys, schema.cpp strings them together for the reader
// and for the reference page.
// Private to this folder.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settings/reading.hpp"

namespace allocd::settings {

// A default or a range that there is none of.
[[nodiscard]] inline std::string nothing() {
  return "";
}

template <typename Enum, std::size_t kCount>
[[nodiscard]] std::string words_of(const base::EnumNames<Enum, kCount>& names) {
  return fmt::format("{}", fmt::join(names.names, ", "));
}

// For those who write "off" or "yes" where one of our words stands.
inline constexpr std::string_view kModeHint = "'observe' changes nothing, 'enforce' writes drop-ins";
inline constexpr std::string_view kPersistHint = "'system' is for good, 'runtime' until the next boot";

// schema_node.cpp
[[nodiscard]] std::span<const Key<Settings>> node_keys();

// schema_selectors.cpp
[[nodiscard]] std::span<const Key<Selector>> selector_keys();
void read_select(Reading& reading, const Entry& entry, Service& service);

// schema_policy.cpp
[[nodiscard]] std::span<const Key<Service>> service_keys();
[[nodiscard]] std::span<const Key<GlibcTunables>> glibc_keys();

// schema_checks.cpp
// What each key alone cannot tell: keys that need one another, or that this service has no use for.
// `entries` are those that `service` was read from.
void check_service_keys(Reading& reading, const std::vector<Entry>& entries, const Service& service);
// Notes in reading.seen what report_idle_key can judge only when every file has been read: the mode of all
// may stand in a later one.
void note_idle_keys(Reading& reading, const std::vector<Entry>& entries, const Service& service);

// schema_service.cpp
[[nodiscard]] std::string service_name_range();
void read_services(Reading& reading, const Entry& entry, Settings& settings);

}  // namespace allocd::settings
