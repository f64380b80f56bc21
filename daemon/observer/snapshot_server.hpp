// SPDX-License-Identifier: Apache-2.0
// Serves the newest snapshot, whole or without processes, on a unix stream socket: connect, read to the end,
// done.
//
// On the loop it is given, of one thread, and never blocking it: a reader that does not read is dropped after
// kDeadline, and of more than kMaxReaders the oldest goes. Out of descriptors, it takes a rest from
// accepting. World-connectable: the snapshot holds no command line and no environment but the two allocator
// variables.
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "observer/snapshot_board.hpp"

namespace allocd::observer {

class SnapshotServer {
 public:
  static constexpr std::size_t kMaxReaders = 128;
  static constexpr std::chrono::seconds kDeadline{10};
  static constexpr std::chrono::milliseconds kRest{500};

  // Binds `path`, taking the place of a socket a dead daemon left there.
  [[nodiscard]] static base::Result<std::unique_ptr<SnapshotServer>> start(
      sd_event* loop, SnapshotBoard& board, const std::string& path,
      snapshot::Detail detail = snapshot::Detail::everything);
  ~SnapshotServer();
  SnapshotServer(const SnapshotServer&) = delete;
  SnapshotServer& operator=(const SnapshotServer&) = delete;

  [[nodiscard]] std::size_t readers() const { return readers_.size(); }
  // For readers yet to come.
  void set_deadline(std::chrono::seconds deadline) { deadline_ = deadline; }

 private:
  struct Reader;
  SnapshotServer(sd_event* loop, SnapshotBoard& board, snapshot::Detail detail);
  static int on_connect(sd_event_source* source, int fd, std::uint32_t events, void* self);
  static int on_writable(sd_event_source* source, int fd, std::uint32_t events, void* reader);
  static int on_deadline(sd_event_source* source, std::uint64_t now, void* reader);
  static int on_rested(sd_event_source* source, std::uint64_t now, void* self);
  void accept_reader();
  void rest();
  void write_some(Reader& reader);
  void drop(Reader& reader);

  sd_event* loop_;
  SnapshotBoard& board_;
  snapshot::Detail detail_;
  std::chrono::seconds deadline_ = kDeadline;
  std::string path_;
  base::UniqueFd socket_;
  sd_event_source* source_ = nullptr;
  sd_event_source* rested_ = nullptr;
  std::list<std::unique_ptr<Reader>> readers_;  // oldest first
};

}  // namespace allocd::observer
