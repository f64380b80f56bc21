// SPDX-License-Identifier: Apache-2.0
// allocctl's arguments as a value. CLI11 and its exceptions stay in command_line.cpp. Pure.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "enforcer/mailbox.hpp"
#include "enforcer/manifest.hpp"
#include "preflight/canary.hpp"
#include "settings/load.hpp"
#include "snapshot/client.hpp"

namespace allocd::ctl {

// The exit codes are a contract; the table of --help is made from the same words.
enum ExitCode : int {
  kDone = 0,
  kFailure = 1,
  kUsage = 2,
  kDiffers = 3,
  kNoPrivilege = 4,
  kUnreachable = 5,
  kBadConfiguration = 78  // EX_CONFIG, sysexits.h
};

enum class Command {
  status,
  list,
  show,
  explain,
  node,
  drift,
  verify,
  plan,
  apply,
  revert,
  metrics,
  check_config,
  reload
};
enum class Output { table, json };
enum class ColorMode { automatic, always, never };

// Where what the enforcer works with lies; for tests and for a plan from another configuration.
struct Places {
  std::string config_file = settings::kDefaultFile;
  std::string config_directory = settings::kDefaultDirectory;
  std::string state_directory = enforcer::kStateDirectory;
  std::string run_directory = enforcer::kRunDirectory;
  std::string bus_address;  // "" is the system bus
  std::string canary{preflight::kCanaryPath};
};

struct CommandLine {
  Command command = Command::status;
  std::string unit;                 // show, explain
  std::vector<std::string> units;   // drift, verify, plan, apply, revert; empty: all
  std::optional<std::string> file;  // check-config
  bool all = false;                 // revert
  bool dry_run = false;             // apply
  bool yes = false;                 // apply, revert: do not ask
  bool retry = false;               // plan, apply: also what the fuse took back
  bool force = false;               // plan, apply, revert: also what was edited by hand
  bool wait = false;                // apply, reload
  Places places;
  std::string socket = snapshot::kDefaultSocket;
  std::chrono::milliseconds timeout{3000};
  Output output = Output::table;
  ColorMode color = ColorMode::automatic;
};

// Help, version or a usage error: what to print where, and the exit code.
struct Ended {
  int code = kDone;
  std::string out;
  std::string err;
};

[[nodiscard]] std::expected<CommandLine, Ended> parse_command_line(int argc, const char* const* argv);

}  // namespace allocd::ctl
