// SPDX-License-Identifier: Apache-2.0
// allocd-exporter: fetches snapshots from the observer and serves them to Prometheus. See server.hpp.
#include <malloc.h>
#include <signal.h>
#include <systemd/sd-daemon.h>

#include <cstdio>

#include "exporter/listen.hpp"
#include "exporter/options.hpp"
#include "exporter/server.hpp"
#include "host/journal.hpp"
#include "metrics/metrics.hpp"

using namespace allocd;

namespace {

void log_error(const std::string& message) {
  host::process_journal().log(host::Priority::error, "", message, {});
}

void log_observer(const base::Fault* fault) {
  if (fault == nullptr) {
    host::process_journal().log(host::Priority::notice, "", "the observer answers again", {});
  } else {
    host::process_journal().log(host::Priority::warning, "",
                                fault->message() + "; serving allocd_observer_up 0 until it answers", {});
  }
}

// One page is half a megabyte for a moment, then nothing: give it back, and keep threads in one arena.
void keep_memory_small() {
  constexpr int kLarge = 64 << 10;
  (void)mallopt(M_ARENA_MAX, 1);
  (void)mallopt(M_MMAP_THRESHOLD, kLarge);
  (void)mallopt(M_TRIM_THRESHOLD, kLarge);
}

// Blocked before there are threads, so that only the wait below gets them.
sigset_t block_end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  (void)pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

base::Result<exporter::ServerOptions> decide_server_options(const exporter::Options& options) {
  exporter::ServerOptions server{.listen_addresses = options.listen_addresses,
                                 .listeners = {},
                                 .telemetry_path = options.telemetry_path,
                                 .limits = {.connections = options.max_requests},
                                 .on_change = log_observer};
  if (!server.listen_addresses.empty()) return server;
  auto inherited = exporter::take_inherited_listeners();
  if (!inherited) return std::unexpected(inherited.error());
  server.listeners = std::move(*inherited);
  if (!server.listeners.empty()) return server;
  if (options.systemd_socket) {
    return base::fault("listen on", "the sockets systemd passes", "there are none ($LISTEN_FDS)");
  }
  server.listen_addresses.emplace_back(exporter::kDefaultAddress);
  return server;
}

int serve(const exporter::Options& options) {
  const sigset_t signals = block_end_signals();
  auto server_options = decide_server_options(options);
  if (!server_options) return log_error(server_options.error().message()), 1;
  const auto server = exporter::MetricsServer::start(std::move(*server_options),
                                                     exporter::socket_source(options.snapshot_socket));
  if (!server) return log_error(server.error().message()), 1;
  for (const std::string& address : (*server)->addresses()) {
    host::process_journal().log(host::Priority::info, "", "listening on " + address, {});
  }
  (void)sd_notify(0, "READY=1\nSTATUS=Serving metrics");
  int signal = 0;
  (void)sigwait(&signals, &signal);
  (void)sd_notify(0, "STOPPING=1");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  keep_memory_small();
  const auto parsed = exporter::parse_options(argc, argv);
  if (const auto* const exit = std::get_if<exporter::EarlyExit>(&parsed)) {
    (void)std::fputs(exit->text.c_str(), exit->code == 0 ? stdout : stderr);
    return exit->code;
  }
  const auto& options = std::get<exporter::Options>(parsed);
  if (!options.print_reference) return serve(options);
  (void)std::fputs(metrics::render_reference().c_str(), stdout);
  return 0;
}
