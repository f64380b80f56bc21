// SPDX-License-Identifier: Apache-2.0
#include "snapshot/client.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/unique_fd.hpp"

namespace allocd::snapshot {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::unexpected<base::Fault> refuse(std::string_view what, const FetchOptions& options, std::string cause,
                                    int code) {
  return std::unexpected(base::Fault{std::string(what), options.socket_path, std::move(cause), code});
}

std::unexpected<base::Fault> too_late(std::string_view what, const FetchOptions& options) {
  return refuse(what, options, fmt::format("no answer within {} ms", options.deadline.count()), ETIMEDOUT);
}

milliseconds time_left(Clock::time_point deadline) {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(deadline - Clock::now()));
}

std::unexpected<base::Fault> connect_fault(const FetchOptions& options, int error) {
  switch (error) {
    case ENOENT:
      return refuse("connect to", options, "no such socket: is allocd.service running?", error);
    case ECONNREFUSED:
      return refuse("connect to", options, "connection refused: allocd is gone and left its socket behind",
                    error);
    case EAGAIN:
      return too_late("connect to", options);
    default:
      return base::fault_from_errno("connect to", options.socket_path, error);
  }
}

std::optional<sockaddr_un> make_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::nullopt;
  if (path.find('\0') != std::string::npos) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// A non-blocking connect to a unix socket whose queue is full fails at once and cannot be polled for;
// a blocking one honours SO_SNDTIMEO and then fails with EAGAIN (unix(7), socket(7)).
void limit_connect(int fd, milliseconds left) {
  const auto clamped = std::max<std::int64_t>(left.count(), 1);  // 0 would mean for ever
  const timeval limit{.tv_sec = clamped / 1000, .tv_usec = clamped % 1000 * 1000};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

base::Result<base::UniqueFd> connect_to(const FetchOptions& options, Clock::time_point deadline) {
  const auto address = make_address(options.socket_path);
  if (!address) return refuse("connect to", options, "not a usable socket path", ENAMETOOLONG);
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::fault_from_errno("open a socket for", options.socket_path, errno);
  for (;;) {
    limit_connect(fd.get(), time_left(deadline));
    // sockets(7): every address type is passed as a sockaddr.
    const auto* generic = reinterpret_cast<const sockaddr*>(&*address);
    if (::connect(fd.get(), generic, sizeof *address) == 0) return fd;
    if (errno == EINTR && Clock::now() < deadline) continue;
    return connect_fault(options, errno == EINTR ? EAGAIN : errno);
  }
}

// Whether `fd` became readable (or was closed) in time.
base::Result<bool> wait_readable(int fd, const FetchOptions& options, Clock::time_point deadline) {
  for (;;) {
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready =
        ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(time_left(deadline).count(), 3'600'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return base::fault_from_errno("read", options.socket_path, errno);
    if (Clock::now() >= deadline) return false;
  }
}

std::unexpected<base::Fault> too_large(const FetchOptions& options) {
  return refuse("read", options, fmt::format("the snapshot is larger than {} bytes", options.size_limit),
                EFBIG);
}

}  // namespace

base::Result<std::string> fetch_text(const FetchOptions& options) {
  const auto deadline = Clock::now() + options.deadline;
  const auto fd = connect_to(options, deadline);
  if (!fd) return std::unexpected(fd.error());
  std::string text;
  std::array<char, std::size_t{64} << 10U> buffer;  // NOLINT(*-member-init): filled by recv
  for (;;) {
    const auto readable = wait_readable(fd->get(), options, deadline);
    if (!readable) return std::unexpected(readable.error());
    if (!*readable) return too_late("read", options);
    const ssize_t got = ::recv(fd->get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) return base::fault_from_errno("read", options.socket_path, errno);
    if (got == 0) break;
    const auto size = static_cast<std::size_t>(got);
    if (size > options.size_limit - text.size()) return too_large(options);
    text.append(buffer.data(), size);
  }
  if (text.empty()) return refuse("read", options, "allocd closed the connection without a word", ENODATA);
  return text;
}

base::Result<Snapshot> fetch(const FetchOptions& options, Detail detail) {
  const auto text = fetch_text(options);
  if (!text) return std::unexpected(text.error());
  return parse_json(*text, detail);
}

}  // namespace allocd::snapshot
