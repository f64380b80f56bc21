// SPDX-License-Identifier: Apache-2.0
// The sockets that snapshots are read from, on a thread of their own: a sample of a large host takes tens of
// milliseconds, and a scrape that comes meanwhile need not wait for its end.
//
// All it shares with the loop is the board, which is safe from any thread. add() and start() are for the
// thread that owns this; servers are the other thread's between start() and the destructor, which joins it.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "observer/event_source.hpp"
#include "observer/side_lane.hpp"
#include "observer/snapshot_server.hpp"

namespace allocd::observer {

class SnapshotService {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<SnapshotService>> make(SnapshotBoard& board);
  ~SnapshotService();
  SnapshotService(const SnapshotService&) = delete;
  SnapshotService& operator=(const SnapshotService&) = delete;

  // A socket more, before start(). A fault of one leaves the others.
  [[nodiscard]] base::Result<void> add(const std::string& path, snapshot::Detail detail);
  [[nodiscard]] base::Result<void> start();

 private:
  SnapshotService(SnapshotBoard& board, EventLoop loop, std::shared_ptr<SideEvent> end)
      : board_(board), loop_(std::move(loop)), end_(std::move(end)) {}
  static int on_end(sd_event_source* source, int fd, std::uint32_t events, void* self);

  SnapshotBoard& board_;
  EventLoop loop_;
  std::shared_ptr<SideEvent> end_;  // raised to have the thread end
  EventSource end_source_;
  std::vector<std::unique_ptr<SnapshotServer>> servers_;
  std::thread thread_;
};

}  // namespace allocd::observer
