// SPDX-License-Identifier: Apache-2.0
#include "observer/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace allocd::observer {

namespace {

constexpr int kUsage = 2;

}  // namespace

void Options::place_sockets(const std::string& path) {
  socket_path = path;
  summary_socket_path = std::filesystem::path(path).replace_filename("summary.sock").string();
  look_now_path = std::filesystem::path(path).replace_filename("look-now").string();
}

std::variant<Options, int> parse_options(int argc, char** argv) {
  Options options;
  bool foreground = false;
  CLI::App app(
      "Watches inference services and proves which malloc each of their processes uses.\n"
      "Runs under systemd as allocd.service; by hand, stop it with Ctrl-C.",
      "allocd");
  app.set_version_flag("--version", std::string("allocd ") + ALLOCD_VERSION);
  app.add_option("--config", options.config_file, "Configuration file; only the default one need not exist")
      ->capture_default_str()
      ->check(CLI::ExistingFile);
  app.add_option("--config-dir", options.config_directory, "Directory of further *.yaml files")
      ->capture_default_str();
  const auto* const socket =
      app.add_option(
             "--snapshot.socket", options.socket_path,
             "Socket to serve snapshots on; summary.sock beside it serves them without processes; with "
             "--web.listen-address by default one in a directory of its own")
          ->capture_default_str();
  app.add_option(
         "--state-directory", options.state_directory,
         "Directory to keep in what is learnt over days; default: $STATE_DIRECTORY, else nothing is kept")
      ->envname("STATE_DIRECTORY");
  app.add_option("--bus-address", options.bus_address,
                 "D-Bus address of systemd's bus; default: the system bus");
  app.add_option("--web.listen-address", options.listen_addresses,
                 "With --foreground: also start allocd-exporter on it, such as 127.0.0.1:10977 (repeatable)");
  app.add_flag("--foreground", foreground, "Run for a person: allows --web.listen-address");
  app.add_flag("--once", options.once, "Take one complete sample, print it as JSON and exit");
  app.add_flag("-v,--verbose", options.verbose, "Log debug messages too");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  // systemd.exec(5): a list, where a unit has several.
  options.state_directory.resize(std::min(options.state_directory.find(':'), options.state_directory.size()));
  if (!options.state_directory.empty())
    options.state_directory = std::filesystem::absolute(options.state_directory).string();
  options.has_own_sockets = socket->count() == 0 && !options.listen_addresses.empty();
  options.place_sockets(options.socket_path);
  if (!options.listen_addresses.empty() && !foreground) {
    std::fputs(
        "allocd: --web.listen-address needs --foreground; as a service, the network side is "
        "allocd-exporter.socket\n",
        stderr);
    return kUsage;
  }
  return options;
}

}  // namespace allocd::observer
