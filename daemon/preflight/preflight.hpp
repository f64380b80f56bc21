// SPDX-License-Identifier: Apache-2.0
// Proves on this host, before anything is written, that a preload makes no service worse.
//
// In order, the first that fails being the result: the paths can be carried and trusted, the library's file
// fits this host, glibc knows the tunables, and the canary runs soundly under exactly what would be written.
// The answer for a library, a preload list and an environment is kept for as long as the object lives: make
// one per run. Blocking, for as long as the runner's time limit. Single-threaded.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/root.hpp"
#include "preflight/canary.hpp"
#include "preflight/library.hpp"
#include "preflight/reason.hpp"
#include "settings/settings.hpp"

namespace allocd::preflight {

struct PreflightRequest {
  settings::Wanted allocator = settings::Wanted::any;  // `any` asks for nothing and passes
  std::optional<std::string> library;                  // nothing for "auto"
  std::vector<std::string> preload_after;              // what stands behind the library in LD_PRELOAD
  std::vector<std::string> environment;                // "MALLOC_CONF=...", "GLIBC_TUNABLES=..."
  std::string root_directory;                          // the service's RootDirectory=, "" without one
};

struct PreflightResult {
  Reason reason = Reason::ok;
  std::string sentence;            // "" when passed
  std::optional<Library> library;  // as far as it was found; nothing for glibc
  std::string preload;             // the value of LD_PRELOAD that was proved, "" for none
  std::string owner;               // the library malloc belonged to, as the canary saw it
  [[nodiscard]] bool passed() const { return reason == Reason::ok; }
  bool operator==(const PreflightResult&) const = default;
};

struct PreflightOptions {
  std::string canary;
  std::chrono::milliseconds time_limit{10'000};
  Requirements needs = Requirements::of_this_host();
};

class Preflight {
 public:
  // Both are used as long as the object lives.
  Preflight(const host::Root& root, CanaryRunner& runner, PreflightOptions options)
      : root_(root), runner_(runner), options_(std::move(options)) {}

  [[nodiscard]] PreflightResult check(const PreflightRequest& request);

 private:
  [[nodiscard]] Finding check_words(const PreflightRequest& request) const;
  [[nodiscard]] Finding check_trust(const PreflightRequest& request) const;
  [[nodiscard]] PreflightResult prove(const PreflightRequest& request, std::optional<Library> library);

  const host::Root& root_;
  CanaryRunner& runner_;
  PreflightOptions options_;
  std::map<std::vector<std::string>, PreflightResult> proved_;
};

}  // namespace allocd::preflight
