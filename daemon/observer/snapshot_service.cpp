// SPDX-License-Identifier: Apache-2.0
#include "observer/snapshot_service.hpp"

#include <cstdlib>
#include <system_error>
#include <utility>

namespace allocd::observer {

base::Result<std::unique_ptr<SnapshotService>> SnapshotService::make(SnapshotBoard& board) {
  sd_event* made = nullptr;
  if (const int error = sd_event_new(&made); error < 0)
    return base::fault_from_errno("create", "the event loop of the snapshot sockets", -error);
  EventLoop loop(made);
  auto end = SideEvent::make();
  if (!end) return std::unexpected(end.error());
  std::unique_ptr<SnapshotService> service(new SnapshotService(board, std::move(loop), std::move(*end)));
  sd_event_source* source = nullptr;
  const int error = sd_event_add_io(made, &source, service->end_->fd(), EPOLLIN, &on_end, nullptr);
  service->end_source_.reset(source);
  if (error < 0) return base::fault_from_errno("watch", "the end of the snapshot sockets", -error);
  return service;
}

base::Result<void> SnapshotService::add(const std::string& path, snapshot::Detail detail) {
  auto server = SnapshotServer::start(loop_.get(), board_, path, detail);
  if (!server) return std::unexpected(server.error());
  servers_.push_back(std::move(*server));
  return {};
}

base::Result<void> SnapshotService::start() {
  try {
    thread_ = std::thread([loop = loop_.get()] {
      if (sd_event_loop(loop) < 0) std::abort();  // a bug: better started anew than deaf
    });
  } catch (const std::system_error& error) {
    return base::fault_from_errno("start", "the thread of the snapshot sockets", error.code().value());
  }
  return {};
}

int SnapshotService::on_end(sd_event_source* source, int /*fd*/, std::uint32_t /*events*/, void* /*self*/) {
  return sd_event_exit(sd_event_source_get_event(source), 0);
}

SnapshotService::~SnapshotService() {
  end_->raise();
  if (thread_.joinable()) thread_.join();
  servers_.clear();  // before the loop that they use
}

}  // namespace allocd::observer
