// SPDX-License-Identifier: Apache-2.0
#include "observer/snapshot_server.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace allocd::observer {

namespace {

constexpr int kBacklog = 64;
constexpr mode_t kEveryone = 0666;

base::Result<base::UniqueFd> bind_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return base::fault("bind", path, "the path is too long for a socket");
  std::ranges::copy(path, static_cast<char*>(address.sun_path));
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return base::fault_from_errno("create a socket for", path, errno);
  struct stat status{};
  const bool is_socket = ::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
  // One that answers has a daemon behind it, and keeps its place.
  if (is_socket && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return base::fault("bind", path, "another allocd serves it");
  }
  if (is_socket) ::unlink(path.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return base::fault_from_errno("bind", path, errno);
  }
  if (::chmod(path.c_str(), kEveryone) != 0) return base::fault_from_errno("open to everyone", path, errno);
  if (::listen(fd.get(), kBacklog) != 0) return base::fault_from_errno("listen on", path, errno);
  return fd;
}

}  // namespace

struct SnapshotServer::Reader {
  SnapshotServer* server = nullptr;
  base::UniqueFd fd;
  SnapshotBoard::Document document;
  std::size_t sent = 0;
  sd_event_source* writable = nullptr;
  sd_event_source* deadline = nullptr;

  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() {
    sd_event_source_disable_unref(writable);
    sd_event_source_disable_unref(deadline);
  }
};

SnapshotServer::SnapshotServer(sd_event* loop, SnapshotBoard& board, snapshot::Detail detail)
    : loop_(loop), board_(board), detail_(detail) {
}

base::Result<std::unique_ptr<SnapshotServer>> SnapshotServer::start(sd_event* loop, SnapshotBoard& board,
                                                                    const std::string& path,
                                                                    snapshot::Detail detail) {
  auto socket = bind_socket(path);
  if (!socket) return std::unexpected(socket.error());
  std::unique_ptr<SnapshotServer> server(new SnapshotServer(loop, board, detail));
  server->path_ = path;
  server->socket_ = std::move(*socket);
  const int added =
      sd_event_add_io(loop, &server->source_, server->socket_.get(), EPOLLIN, &on_connect, server.get());
  if (added < 0) return base::fault_from_errno("watch", path, -added);
  // Made here, for the first timer of a loop takes a descriptor.
  const int timed =
      sd_event_add_time(loop, &server->rested_, CLOCK_MONOTONIC, 0, 0, &on_rested, server.get());
  if (timed < 0) return base::fault_from_errno("time", path, -timed);
  sd_event_source_set_enabled(server->rested_, SD_EVENT_OFF);
  return server;
}

SnapshotServer::~SnapshotServer() {
  readers_.clear();
  sd_event_source_disable_unref(source_);
  sd_event_source_disable_unref(rested_);
  if (!path_.empty()) ::unlink(path_.c_str());
}

int SnapshotServer::on_connect(sd_event_source* /*source*/, int /*fd*/, std::uint32_t /*events*/,
                               void* self) {
  static_cast<SnapshotServer*>(self)->accept_reader();
  return 0;
}

void SnapshotServer::accept_reader() {
  base::UniqueFd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) return rest();
  if (!fd) return;  // the reader has gone
  if (readers_.size() >= kMaxReaders) readers_.pop_front();
  auto reader = std::make_unique<Reader>();
  reader->server = this;
  reader->fd = std::move(fd);
  reader->document = board_.document(detail_);
  const auto limit = std::chrono::duration_cast<std::chrono::microseconds>(deadline_).count();
  const bool watched =
      sd_event_add_io(loop_, &reader->writable, reader->fd.get(), EPOLLOUT, &on_writable, reader.get()) >=
          0 &&
      sd_event_add_time_relative(loop_, &reader->deadline, CLOCK_MONOTONIC, static_cast<std::uint64_t>(limit),
                                 0, &on_deadline, reader.get()) >= 0;
  if (!watched || !reader->document) return;
  readers_.push_back(std::move(reader));
  write_some(*readers_.back());
}

// The connection stays in the backlog and the socket readable: without a rest the loop would spin.
void SnapshotServer::rest() {
  const auto pause = std::chrono::duration_cast<std::chrono::microseconds>(kRest).count();
  const bool armed = sd_event_source_set_time_relative(rested_, static_cast<std::uint64_t>(pause)) >= 0 &&
                     sd_event_source_set_enabled(rested_, SD_EVENT_ONESHOT) >= 0;
  if (armed) sd_event_source_set_enabled(source_, SD_EVENT_OFF);
}

int SnapshotServer::on_rested(sd_event_source* /*source*/, std::uint64_t /*now*/, void* self) {
  return sd_event_source_set_enabled(static_cast<SnapshotServer*>(self)->source_, SD_EVENT_ON);
}

int SnapshotServer::on_writable(sd_event_source* /*source*/, int /*fd*/, std::uint32_t /*events*/,
                                void* reader) {
  auto& self = *static_cast<Reader*>(reader);
  self.server->write_some(self);
  return 0;
}

int SnapshotServer::on_deadline(sd_event_source* /*source*/, std::uint64_t /*now*/, void* reader) {
  auto& self = *static_cast<Reader*>(reader);
  self.server->drop(self);
  return 0;
}

void SnapshotServer::write_some(Reader& reader) {
  const std::string& text = *reader.document;
  while (reader.sent < text.size()) {
    const ssize_t count =
        ::send(reader.fd.get(), text.data() + reader.sent, text.size() - reader.sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) break;
    reader.sent += static_cast<std::size_t>(count);
  }
  drop(reader);
}

void SnapshotServer::drop(Reader& reader) {
  std::erase_if(readers_, [&](const auto& owned) { return owned.get() == &reader; });
}

}  // namespace allocd::observer
