// SPDX-License-Identifier: Apache-2.0
// allocctl's arguments as a value. CLI11 and its exceptions stay in command_line.cpp. Pure.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>

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

enum class Command { status, list, show, explain, metrics, check_config };
enum class Output { table, json };
enum class ColorMode { automatic, always, never };

struct CommandLine {
  Command command = Command::status;
  std::string unit;                 // show, explain
  std::optional<std::string> file;  // check-config
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
