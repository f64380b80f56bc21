// SPDX-License-Identifier: Apache-2.0
// A raw TCP client over IPv4 loopback: sends what it is told, reads until the server closes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace allocd::test {

class Client {
 public:
  explicit Client(const std::string& address, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) {
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
      throw std::runtime_error("cannot connect to " + address);
    }
  }

  // What cannot be sent because the server has closed is not an error of the test.
  void send(std::string_view bytes) const {
    (void)::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void finish_sending() const { (void)::shutdown(fd_.get(), SHUT_WR); }

  // Everything until the server closes or resets; gives up sooner than the server's own idle timeout, so that
  // nothing passes by waiting for that.
  [[nodiscard]] std::string read_all() const {
    constexpr int kGiveUpMs = 10'000;
    std::string all;
    std::array<char, 65536> piece;
    for (;;) {
      pollfd state{.fd = fd_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&state, 1, kGiveUpMs) <= 0)
        throw std::runtime_error("the server neither answers nor closes");
      const ssize_t count = ::recv(fd_.get(), piece.data(), piece.size(), 0);
      if (count <= 0) return all;
      all.append(piece.data(), static_cast<std::size_t>(count));
    }
  }

 private:
  base::UniqueFd fd_;
};

inline std::string get(const std::string& address, const std::string& path, const std::string& headers = "") {
  const Client client(address);
  client.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
  return client.read_all();
}

}  // namespace allocd::test
