// SPDX-License-Identifier: Apache-2.0
// Where the exporter listens: an address as Prometheus exporters take it, or sockets systemd opened for us.
//
// Addresses are numeric: ":10977" (both IP versions), "127.0.0.1:9000", "[::1]:9000"; port 0 lets the kernel
// choose. A name is refused: what it means would depend on a resolver at start. Sockets come back listening,
// non-blocking and close-on-exec.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace allocd::exporter {

inline constexpr std::string_view kDefaultAddress = ":10977";

struct ListenAddress {
  std::string host;  // "" is every address of both IP versions
  std::string port;
  bool operator==(const ListenAddress&) const = default;
};

[[nodiscard]] base::Result<ListenAddress> parse_listen_address(std::string_view text);
[[nodiscard]] base::Result<base::UniqueFd> open_listener(const ListenAddress& address);

// The sockets of sd_listen_fds(3), which are taken out of the environment. None is an empty list.
[[nodiscard]] base::Result<std::vector<base::UniqueFd>> take_inherited_listeners();

// "127.0.0.1:9000", "[::1]:9000", or the path of a unix socket.
[[nodiscard]] std::string bound_address(int listener);

}  // namespace allocd::exporter
