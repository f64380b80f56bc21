// SPDX-License-Identifier: Apache-2.0
// The exporter beside an observer that a person runs (--foreground --web.listen-address).
//
// A program of its own here too: what faces a network neither shares memory with what can read other
// processes, nor brings its libraries into the observer as a service (2.6 MiB of them resident). It lives as
// long as the observer, however that ends; when it ends first, it said why on standard error, and the
// observer ends too.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "host/journal.hpp"
#include "observer/event_source.hpp"
#include "observer/options.hpp"

namespace allocd::observer {

class ForegroundExporter {
 public:
  // Null when no address is asked for. `program` is the path of allocd-exporter. Must be called before any
  // thread is started, and watches the default event loop of this thread.
  [[nodiscard]] static base::Result<std::unique_ptr<ForegroundExporter>> start(const std::string& program,
                                                                               const Options& options,
                                                                               host::Journal& journal);
  ~ForegroundExporter();
  ForegroundExporter(const ForegroundExporter&) = delete;
  ForegroundExporter& operator=(const ForegroundExporter&) = delete;

 private:
  ForegroundExporter(pid_t pid, base::UniqueFd handle, host::Journal& journal)
      : pid_(pid), handle_(std::move(handle)), journal_(journal) {}
  [[nodiscard]] base::Result<void> watch();
  static int on_end(sd_event_source* source, int fd, std::uint32_t events, void* self);

  pid_t pid_;
  base::UniqueFd handle_;  // pidfd_open(2)
  host::Journal& journal_;
  EventLoop loop_;
  EventSource source_;
};

// The sockets of a run by hand, in a directory of its own: it needs no /run/allocd, and does not meet a
// service that has its sockets there, whose snapshots the exporter would show as those of this run. Gone with
// it.
class OwnSockets {
 public:
  // Null where `options` name a socket, or no exporter wants one. Sets the paths in `options`.
  [[nodiscard]] static base::Result<std::unique_ptr<OwnSockets>> make(Options& options);
  ~OwnSockets();
  OwnSockets(const OwnSockets&) = delete;
  OwnSockets& operator=(const OwnSockets&) = delete;

 private:
  explicit OwnSockets(std::string directory) : directory_(std::move(directory)) {}
  std::string directory_;
};

// allocd-exporter in the directory that this program was started from.
[[nodiscard]] std::string find_exporter_program();

}  // namespace allocd::observer
