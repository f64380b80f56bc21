// SPDX-License-Identifier: Apache-2.0
#include "exporter/options.hpp"

// g++ 12 sees null pointers in what CLI11 inlines here; there are none. Remove with g++ 13.
#pragma GCC diagnostic ignored "-Wnull-dereference"

#include <CLI/CLI.hpp>

#include "exporter/listen.hpp"
#include "snapshot/client.hpp"

namespace allocd::exporter {
namespace {

constexpr std::size_t kMostRequests = 1024;

void declare(CLI::App& app, Options& options) {
  app.set_version_flag("--version", "allocd-exporter " ALLOCD_VERSION);
  app.add_option("--web.listen-address", options.listen_addresses,
                 "Address to listen on: HOST:PORT, [IPV6]:PORT or :PORT; may be repeated (default " +
                     std::string(kDefaultAddress) + ", or the sockets systemd passes)")
      ->allow_extra_args(false)
      ->type_name("ADDRESS");
  app.add_flag("--web.systemd-socket", options.systemd_socket,
               "Listen on the sockets systemd passes, or fail")
      ->excludes("--web.listen-address");
  app.add_option("--web.telemetry-path", options.telemetry_path, "Path of the metrics")
      ->capture_default_str()
      ->type_name("PATH");
  app.add_option("--web.max-requests", options.max_requests, "Most connections at a time")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{1}, kMostRequests))
      ->type_name("NUMBER");
  app.add_option("--snapshot.socket", options.snapshot_socket,
                 "Socket of the observer; that of whole snapshots, snapshot.sock, serves too")
      ->capture_default_str()
      ->type_name("PATH");
  app.add_flag("--print-metrics-reference", options.print_reference, "Print docs/metrics.md and exit");
}

}  // namespace

std::variant<Options, EarlyExit> parse_options(int argc, const char* const* argv) {
  Options options{.snapshot_socket = snapshot::kDefaultSummarySocket};
  CLI::App app("Serves the snapshot of the allocd observer to Prometheus.", "allocd-exporter");
  try {
    declare(app, options);
    app.parse(argc, argv);
    return options;
  } catch (const CLI::CallForHelp&) {
    return EarlyExit{app.help(), 0};
  } catch (const CLI::CallForVersion&) {
    return EarlyExit{"allocd-exporter " ALLOCD_VERSION "\n", 0};
  } catch (const CLI::Error& error) {
    return EarlyExit{std::string("allocd-exporter: ") + error.what() + "\nTry allocd-exporter --help.\n", 2};
  }
}

}  // namespace allocd::exporter
