// SPDX-License-Identifier: Apache-2.0
// The HTTP face: GET and HEAD of the metrics, a landing page, /-/healthy and /-/ready.
//
// start() opens the sockets and its threads; the destructor ends both. Snapshots come from a source: the
// observer's socket in the exporter, a file in tests. A source that fails or is slow costs only the answers
// that need it. No TLS, no authentication.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "exporter/lobby.hpp"
#include "exporter/publisher.hpp"

struct MHD_Daemon;

namespace allocd::exporter {

struct ServerOptions {
  std::vector<std::string> listen_addresses;  // as listen.hpp has them
  std::vector<base::UniqueFd> listeners;      // sockets already listening, used besides the addresses
  std::string telemetry_path = "/metrics";    // begins with '/', not below "/-/"
  LobbyLimits limits;
  OnChange on_change;  // called from a thread of the server
};

class MetricsServer {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<MetricsServer>> start(ServerOptions options,
                                                                          Source source);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  // Where it listens, with the ports the kernel chose.
  [[nodiscard]] const std::vector<std::string>& addresses() const { return addresses_; }

 private:
  struct Handler;  // what libmicrohttpd calls
  MetricsServer(std::string telemetry_path, OnChange on_change, Source source);
  [[nodiscard]] base::Result<void> open(ServerOptions options);

  std::string telemetry_path_;
  std::vector<std::string> addresses_;
  Publisher publisher_;
  std::unique_ptr<Lobby> lobby_;
  MHD_Daemon* daemon_ = nullptr;
};

}  // namespace allocd::exporter
