// SPDX-License-Identifier: Apache-2.0
// The enforcer's command line: where things lie, for tests and for a second root; nothing about what to do.
#pragma once

#include <string>
#include <variant>

#include "enforcer/mailbox.hpp"
#include "enforcer/manifest.hpp"
#include "preflight/canary.hpp"
#include "settings/load.hpp"

namespace allocd::enforcer {

// What the observer touches (systemd/allocd-enforcer.path): seen by systemd while no enforcer runs, and by
// the one that runs.
inline constexpr const char* kLookNow = "/run/allocd/look-now";

struct Options {
  std::string config_file = settings::kDefaultFile;
  std::string config_directory = settings::kDefaultDirectory;
  std::string state_directory = kStateDirectory;
  std::string run_directory = kRunDirectory;
  std::string look_now = kLookNow;
  std::string bus_address;  // "" is the system bus
  std::string canary{preflight::kCanaryPath};
};

// The options, or the exit code with which the program is to end at once.
[[nodiscard]] std::variant<Options, int> parse_options(int argc, char** argv);

}  // namespace allocd::enforcer
