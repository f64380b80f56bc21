// SPDX-License-Identifier: Apache-2.0
// The observer's command line.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "settings/load.hpp"
#include "snapshot/client.hpp"

namespace allocd::observer {

struct Options {
  std::string config_file = settings::kDefaultFile;
  std::string config_directory = settings::kDefaultDirectory;
  std::string socket_path = snapshot::kDefaultSocket;
  bool has_own_sockets = false;               // none was named, and an exporter beside it wants some
  std::string summary_socket_path;            // "summary.sock" beside it
  std::string state_directory;                // "": what is learnt over days is not kept
  std::string look_now_path;                  // "look-now" beside it: asks for a run of the enforcer
  std::string bus_address;                    // "" is the system bus
  std::vector<std::string> listen_addresses;  // of an exporter to start beside it
  bool once = false;
  bool verbose = false;

  // The other paths follow the socket's.
  void place_sockets(const std::string& path);
};

// The options, or the exit code with which the program is to end at once (help, version, usage error: the
// text has been printed).
[[nodiscard]] std::variant<Options, int> parse_options(int argc, char** argv);

}  // namespace allocd::observer
