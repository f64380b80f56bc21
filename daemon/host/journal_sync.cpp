// SPDX-License-Identifier: Apache-2.0
#include "host/journal_sync.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <string_view>

#include "base/unique_fd.hpp"

namespace allocd::host {

namespace {

constexpr std::string_view kSocket = "/run/systemd/journal/io.systemd.journal";
// A varlink message ends with a zero byte.
constexpr std::string_view kCall(R"({"method":"io.systemd.Journal.Synchronize","parameters":{}})"
                                 "\0",
                                 sizeof(R"({"method":"io.systemd.Journal.Synchronize","parameters":{}})"));

base::UniqueFd connect_to_journal() {
  base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  static_assert(kSocket.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, kSocket.data(), kSocket.size());
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  return socket;
}

}  // namespace

bool sync_journal(std::chrono::milliseconds deadline) {
  const auto socket = connect_to_journal();
  if (!socket) return false;
  const auto sent = ::send(socket.get(), kCall.data(), kCall.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(kCall.size())) return false;
  pollfd answer{.fd = socket.get(), .events = POLLIN, .revents = 0};
  if (::poll(&answer, 1, static_cast<int>(deadline.count())) != 1) return false;
  std::array<char, 512> text{};
  const auto got = ::recv(socket.get(), text.data(), text.size(), 0);
  return got > 0 && std::string_view(text.data(), static_cast<std::size_t>(got)).find("\"error\"") ==
                        std::string_view::npos;
}

}  // namespace allocd::host
