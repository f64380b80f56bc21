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
#include "kernel/costly.hpp"
#include "node/expect.hpp"
#include "settings/window.hpp"

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

// `observe` says what is; `enforce` also writes drop-ins.
enum class Mode { observe, enforce };
inline constexpr base::EnumNames<Mode, 2> kModeNames{{"observe", "enforce"}};

// Where a unit's own files set the preload too: our drop-in has the last word, or leaves it to them.
enum class Precedence { last, yield };
inline constexpr base::EnumNames<Precedence, 2> kPrecedenceNames{{"last", "yield"}};

// When a service is restarted so that its processes take up the policy.
enum class RestartWhen { never, window, now };
inline constexpr base::EnumNames<RestartWhen, 3> kRestartWhenNames{{"never", "window", "now"}};

// Whether a drop-in outlives the next boot.
enum class Persist { system, runtime };
inline constexpr base::EnumNames<Persist, 2> kPersistNames{{"system", "runtime"}};

// glibc's own malloc: mallopt(3). What is not set is left to glibc.
struct GlibcTunables {
  std::optional<std::uint32_t> arena_max;       // 1 to 4096
  std::optional<std::uint64_t> trim_threshold;  // bytes, to 1T
  std::optional<std::uint64_t> mmap_threshold;  // bytes, to 32M: glibc ignores more without a word
  bool operator==(const GlibcTunables&) const = default;
};

struct Service {
  std::string name;  // the key under `services:`; [a-z0-9][a-z0-9_-]{0,63}
  std::vector<Selector> selectors;
  Wanted allocator = Wanted::any;
  base::SourcePosition position;

  std::optional<Mode> mode;                // nothing: that of Settings; ask effective_mode
  std::optional<std::string> library;      // an absolute path; nothing: looked for on the host
  std::string malloc_conf;                 // "key:value,key:value", with jemalloc only
  std::vector<std::string> extra_preload;  // absolute paths, kept behind ours
  GlibcTunables glibc;                     // with glibc only
  Precedence precedence = Precedence::last;
  RestartWhen restart = RestartWhen::never;
  std::vector<Window> windows;                   // at least one with RestartWhen::window, else none
  std::chrono::milliseconds settle{600'000};     // how long a restarted service is watched, 10s to 24h
  std::string health;                            // a URL on loopback, or ""
  std::optional<Persist> persist;                // nothing: that of Settings; ask effective_persist
  std::vector<std::string> model_paths;          // globs over model files, whose page cache is looked at
  std::vector<kernel::CostlyKind> costly_reads;  // each at most once; none unless asked for
  bool operator==(const Service&) const = default;
};

struct Observe {
  std::chrono::milliseconds interval{10'000};           // 1s to 10m
  std::chrono::milliseconds recheck_interval{300'000};  // allocator evidence again, 10s to 24h
  std::chrono::milliseconds read_deadline{2'000};       // one process's evidence, 10ms to 1m
  std::uint32_t max_processes_per_unit = 4096;          // 1 to 65536; the rest are counted as dropped
  std::chrono::milliseconds node_interval{60'000};      // the machine, and a unit's rarer figures; 10s to 1h
  std::chrono::milliseconds page_cache_interval{300'000};  // model_paths, 1m to 24h
  std::chrono::milliseconds costly_interval{300'000};      // costly_reads of one process, 1m to 24h
  std::chrono::milliseconds costly_longest{100};  // one such read; longer ones are not tried, 1ms to 10s
  bool operator==(const Observe&) const = default;
};

struct Settings {
  int version = 1;
  Mode mode = Mode::observe;
  Persist persist = Persist::system;
  std::uint32_t max_concurrent_restarts = 1;  // 1 to 64, over all services
  Observe observe;
  node::Expectations expect;  // of the machine; each key and value passes node::check_expectation
  // Empty: every loaded unit whose command is a known engine is observed, and nothing is enforced.
  std::vector<Service> services;
  std::vector<std::string> files;  // what was read, in order
  bool operator==(const Settings&) const = default;
};

// Whether the service has a unit for a drop-in to act on; one of control groups alone is only observed.
[[nodiscard]] bool selects_units(const Service& service);
// What is done for the service: never more than observing where nothing is asked for (Wanted::any) or no
// unit is selected, whatever the mode of all says.
[[nodiscard]] Mode effective_mode(const Settings& settings, const Service& service);
[[nodiscard]] Persist effective_persist(const Settings& settings, const Service& service);

}  // namespace allocd::settings
