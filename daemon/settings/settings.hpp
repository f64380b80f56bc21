// SPDX-License-Identifier: Apache-2.0
// The configuration as plain structs. YAML is read strictly by load.hpp; nothing here parses.
// Value types; a Settings is immutable once loaded.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allocator/kind.hpp"
#include "base/closed_enum.hpp"
#include "base/source_position.hpp"

namespace allocd::settings {

enum class SelectorKind { unit, cgroup };
inline constexpr base::EnumNames<SelectorKind, 2> kSelectorKindNames{{"unit", "cgroup"}};

// `unit:` an exact name, or a glob over loaded units ("vllm@*.service"); a name without a suffix gets
// ".service". `cgroup:` a glob over cgroup paths ("/machine.slice/libpod-*.scope"), observe-only.
struct Selector {
  SelectorKind kind = SelectorKind::unit;
  std::string pattern;
  base::SourcePosition position;
  bool operator==(const Selector&) const = default;
};

// What `malloc` should be. `any` asks for nothing.
enum class Wanted { any, glibc, jemalloc, tcmalloc, mimalloc };
inline constexpr base::EnumNames<Wanted, 5> kWantedNames{
    {"any", "glibc", "jemalloc", "tcmalloc", "mimalloc"}};

struct Service {
  std::string name;  // the key under `services:`; [a-z0-9][a-z0-9_-]{0,63}
  std::vector<Selector> selectors;
  Wanted allocator = Wanted::any;
  base::SourcePosition position;
  bool operator==(const Service&) const = default;
};

struct Observe {
  std::chrono::milliseconds interval{10'000};           // 1s to 10m
  std::chrono::milliseconds recheck_interval{300'000};  // allocator evidence again, 10s to 24h
  std::chrono::milliseconds read_deadline{2'000};       // one process's evidence, 10ms to 1m
  std::uint32_t max_processes_per_unit = 4096;          // 1 to 65536; the rest are counted as dropped
  bool operator==(const Observe&) const = default;
};

struct Settings {
  int version = 1;
  Observe observe;
  // Empty: every loaded unit whose command is a known engine is observed, and nothing is enforced.
  std::vector<Service> services;
  std::vector<std::string> files;  // what was read, in order
  bool operator==(const Settings&) const = default;
};

}  // namespace allocd::settings
