// SPDX-License-Identifier: Apache-2.0
// Everything a plan is made from, read from the machine: configuration, systemd's view, unit files, our own
// files on disk, libraries, programs, and what earlier runs remember.
//
// Reads only, and needs no privilege: what the caller may not read becomes an obstacle of the unit it
// concerns. Blocking; single-threaded.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "enforcer/manifest.hpp"
#include "enforcer/request.hpp"
#include "enforcer/unit_watch.hpp"
#include "host/root.hpp"
#include "host/systemd_control.hpp"
#include "policy/plan.hpp"
#include "settings/settings.hpp"

namespace allocd::enforcer {

inline constexpr std::chrono::milliseconds kReadLimit{20'000};

struct Survey {
  // The inputs below point into these.
  const settings::Settings* settings = nullptr;
  std::map<std::string, host::UnitFacts> units;
  std::vector<policy::UnitInput> inputs;       // by name
  std::vector<policy::OwnedFile> owned;        // every file of our name, whoever's it is
  std::map<std::string, std::string> digests;  // by unit: of what is asked for and of the library
};

// `settings` must outlive the survey. `request` says what is tried again.
[[nodiscard]] base::Result<Survey> take_survey(const host::Root& root, const settings::Settings& settings,
                                               UnitWatch& watch, host::SystemdControl& control,
                                               const Manifest& manifest, const Request& request);

// Files of our name in the directories of drop-ins. Those that are not `owner`'s are no files of ours.
[[nodiscard]] std::vector<policy::OwnedFile> read_owned_files(const host::Root& root, uid_t owner = 0);

}  // namespace allocd::enforcer
