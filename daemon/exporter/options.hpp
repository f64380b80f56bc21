// SPDX-License-Identifier: Apache-2.0
// The command line of allocd-exporter, with the flag names operators know from other exporters.
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

namespace allocd::exporter {

struct Options {
  std::vector<std::string> listen_addresses;  // empty: inherited sockets if there are any, else :10977
  bool systemd_socket = false;                // inherited sockets or nothing
  std::string telemetry_path = "/metrics";
  std::size_t max_requests = 16;
  std::string snapshot_socket;
  bool print_reference = false;
};

// The command line asked for text (--help, --version) or was wrong: what to print, where, and the exit code.
struct EarlyExit {
  std::string text;
  int code = 0;  // 0: text goes to stdout; 2: usage error, text goes to stderr
};

[[nodiscard]] std::variant<Options, EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace allocd::exporter
