// SPDX-License-Identifier: Apache-2.0
#include "exporter/listen.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "base/text.hpp"

namespace allocd::exporter {
namespace {

using base::UniqueFd;
using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

base::Result<AddressList> resolve(const ListenAddress& address, const char* host) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host, address.port.c_str(), &hints, &found); error != 0) {
    return base::fault("listen on", address.host + ":" + address.port,
                       "give a numeric address such as 127.0.0.1:10977, [::1]:10977 or :10977");
  }
  return AddressList(found, &freeaddrinfo);
}

base::Result<UniqueFd> listen_at(const addrinfo& at, const std::string& name) {
  UniqueFd fd(socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::fault_from_errno("open a socket for", name, errno);
  const int yes = 1;
  const int no = 0;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (at.ai_family == AF_INET6) (void)setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  if (bind(fd.get(), at.ai_addr, at.ai_addrlen) != 0 || listen(fd.get(), SOMAXCONN) != 0) {
    return base::fault_from_errno("listen on", name, errno);
  }
  return fd;
}

base::Result<UniqueFd> check_inherited(UniqueFd fd) {
  if (sd_is_socket(fd.get(), AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
    return base::fault(
        "use inherited descriptor", std::to_string(fd.get()),
        "it is not a listening stream socket (a .socket unit needs ListenStream= and Accept=no)");
  }
  const int flags = fcntl(fd.get(), F_GETFL);
  if (flags < 0 || fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) < 0) {
    return base::fault_from_errno("use inherited descriptor", std::to_string(fd.get()), errno);
  }
  return fd;
}

}  // namespace

base::Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto refuse = [&](std::string_view cause) { return base::fault("listen on", text, cause); };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse("the port is missing: write HOST:PORT or :PORT");
  const std::string_view port = text.substr(colon + 1);
  std::string_view host = text.substr(0, colon);
  const auto number = base::parse_u64(port);
  if (!number || *number > 65535) return refuse("the port is not a number from 0 to 65535");
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.empty()) return refuse("the address between the brackets is missing");
  } else if (host.find(':') != std::string_view::npos) {
    return refuse("an IPv6 address goes into brackets: [::1]:10977");
  }
  return ListenAddress{std::string(host), std::string(port)};
}

base::Result<UniqueFd> open_listener(const ListenAddress& address) {
  const std::string name = fmt::format("{}:{}", address.host, address.port);
  // The wildcard is IPv6 with IPv4 inside it; a host without IPv6 gets IPv4 alone.
  const bool everywhere = address.host.empty();
  auto list = resolve(address, everywhere ? "::" : address.host.c_str());
  if (!list) return std::unexpected(list.error());
  auto listener = listen_at(**list, name);
  if (listener || !everywhere || listener.error().code == EADDRINUSE) return listener;
  list = resolve(address, "0.0.0.0");
  if (!list) return std::unexpected(list.error());
  return listen_at(**list, name);
}

base::Result<std::vector<UniqueFd>> take_inherited_listeners() {
  const int count = sd_listen_fds(/*unset_environment=*/1);
  if (count < 0) return base::fault_from_errno("take the sockets systemd passes", "", -count);
  std::vector<UniqueFd> listeners;
  for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) listeners.emplace_back(fd);
  for (UniqueFd& fd : listeners) {
    auto checked = check_inherited(std::move(fd));
    if (!checked) return std::unexpected(checked.error());
    fd = std::move(*checked);
  }
  return listeners;
}

std::string bound_address(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (getsockname(listener, any, &size) != 0) return "?";
  if (address.ss_family == AF_UNIX) {
    const auto* const local = reinterpret_cast<const sockaddr_un*>(&address);
    return std::string(local->sun_path, strnlen(local->sun_path, sizeof local->sun_path));
  }
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(any, size, host.data(), host.size(), port.data(), port.size(),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  if (address.ss_family == AF_INET6) return fmt::format("[{}]:{}", host.data(), port.data());
  return fmt::format("{}:{}", host.data(), port.data());
}

}  // namespace allocd::exporter
