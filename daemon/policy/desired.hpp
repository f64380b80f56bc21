// SPDX-License-Identifier: Apache-2.0
// Which variables the policy wants a unit's processes to start with, merged with what the unit says already.
//
// Merging of LD_PRELOAD (ld.so(8)): the policy's library, then `extra_preload`, then whatever the unit has
// (a profiler, a CUDA shim, vLLM's own tcmalloc), each entry once. A policy of glibc takes allocator
// libraries out and leaves the rest. GLIBC_TUNABLES is merged tunable by tunable. Pure; any thread.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settings/settings.hpp"
#include "unitfile/environment.hpp"

namespace allocd::policy {

inline constexpr std::string_view kPreloadVariable = "LD_PRELOAD";
inline constexpr std::string_view kMallocConfVariable = "MALLOC_CONF";
inline constexpr std::string_view kTunablesVariable = "GLIBC_TUNABLES";
inline constexpr std::array kVariables{kPreloadVariable, kMallocConfVariable, kTunablesVariable};

struct Assignment {
  std::string name;
  std::string value;
  bool operator==(const Assignment&) const = default;
};

// Entries of an LD_PRELOAD value, which ' ' or ':' separate (no tab, no newline: ld.so(8)), empty ones left
// out.
[[nodiscard]] std::vector<std::string> split_preload(std::string_view value);

// `ours` first, then `extra`, then `existing`; each once, and no other file of the name of ours.
[[nodiscard]] std::string merge_preload(std::string_view ours, const std::vector<std::string>& extra,
                                        std::string_view existing);

// `existing` without entries that are allocator libraries.
[[nodiscard]] std::string without_allocators(std::string_view existing);

// `existing` ("a=1:b=2") with the policy's tunables in place of those of the same name.
[[nodiscard]] std::string merge_tunables(const settings::GlibcTunables& wanted, std::string_view existing);

// `library` is the path to preload; not looked at for glibc. `existing` is the unit's environment without
// allocd's own drop-in. Only what differs from `existing` or must be held against it is listed; nothing for
// `any`.
[[nodiscard]] std::vector<Assignment> decide_desired(const settings::Service& service,
                                                     std::string_view library,
                                                     const unitfile::Environment& existing);

// Where the unit itself already preloads an allocator library: "path:line", or the manager's environment.
[[nodiscard]] std::optional<std::string> find_own_allocator(const unitfile::Environment& existing);

// A place whose value of one of our variables is in force and not known: a specifier nobody could expand.
[[nodiscard]] std::optional<std::string> find_unresolved(const unitfile::Environment& existing);

// "path:line" of a contribution, or "systemd's own environment".
[[nodiscard]] std::string place_of(const unitfile::Contribution& contribution);

}  // namespace allocd::policy
