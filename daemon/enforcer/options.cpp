// SPDX-License-Identifier: Apache-2.0
#include "enforcer/options.hpp"

#include <CLI/CLI.hpp>

namespace allocd::enforcer {

std::variant<Options, int> parse_options(int argc, char** argv) {
  constexpr int kUsage = 2;
  Options options;
  CLI::App app(
      "Writes and removes the drop-ins that the policy asks for. Started by allocctl and by\n"
      "allocd-enforcer.path; there is nothing to be done with it by hand.",
      "allocd-enforcer");
  app.set_version_flag("--version", std::string("allocd-enforcer ") + ALLOCD_VERSION);
  app.add_option("--config", options.config_file, "Configuration file")->capture_default_str();
  app.add_option("--config-dir", options.config_directory, "Directory of further *.yaml files")
      ->capture_default_str();
  app.add_option("--state-directory", options.state_directory, "What is remembered between runs")
      ->capture_default_str();
  app.add_option("--run-directory", options.run_directory, "Requests of allocctl")->capture_default_str();
  app.add_option("--look-now", options.look_now, "File the observer touches")->capture_default_str();
  app.add_option("--bus-address", options.bus_address,
                 "D-Bus address of systemd's bus; default: the system bus");
  app.add_option("--canary", options.canary, "Program that tries a library")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  return options;
}

}  // namespace allocd::enforcer
