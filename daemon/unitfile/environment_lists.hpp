// SPDX-License-Identifier: Apache-2.0
// The four lists of [Service] that make up an environment, as systemd has them after reading a unit's files
// in order: words split, specifiers expanded, invalid entries skipped with a doubt, resets applied. Pure; any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "unitfile/environment.hpp"

namespace allocd::unitfile {

// One entry of a list. What an empty assignment took away stays, marked: people ask what became of it.
struct ListEntry {
  std::string text;
  Place place;
  std::optional<Place> reset_by;
  bool is_resolved = true;
};

struct EnvironmentLists {
  std::vector<ListEntry> environment;  // "NAME=value"
  std::vector<ListEntry> files;        // a path, after '-' when it may be missing
  std::vector<ListEntry> pass;         // "NAME"
  std::vector<ListEntry> unset;        // "NAME" or "NAME=value"
  std::vector<std::string> doubts;     // "path:line: why"
  bool can_load = true;                // false: systemd gives the unit's own file up
};

[[nodiscard]] EnvironmentLists list_environment_settings(const std::vector<SourceText>& files,
                                                         const Specifiers& specifiers);

// "path:line: why", printable.
[[nodiscard]] std::string render_doubt(const Place& place, std::string_view why);

}  // namespace allocd::unitfile
