// SPDX-License-Identifier: Apache-2.0
#include "enforcer/health.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"

using namespace allocd;
using namespace std::chrono_literals;
using enforcer::is_healthy;

namespace {

// Answers every connection with the same bytes, after having read what is asked; "" means never.
class Server {
 public:
  explicit Server(std::string answer, int family = AF_INET) : family_(family), answer_(std::move(answer)) {
    REQUIRE(::listen(listener_.get(), 8) == 0);
    sockaddr_in6 own{};  // the port lies at the same place in both
    socklen_t size = sizeof own;
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&own), &size) == 0);
    port_ = ntohs(own.sin6_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::string url(const std::string& target = "/health") const {
    const std::string host = family_ == AF_INET6 ? "[::1]" : "127.0.0.1";
    return "http://" + host + ":" + std::to_string(port_) + target;
  }
  [[nodiscard]] int asked() const { return asked_; }

 private:
  [[nodiscard]] base::UniqueFd listen_on_loopback() const {
    base::UniqueFd fd(::socket(family_, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 own6{};
    own6.sin6_family = AF_INET6;
    own6.sin6_addr = in6addr_loopback;
    const int bound = family_ == AF_INET6
                          ? ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own6), sizeof own6)
                          : ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own);
    REQUIRE(bound == 0);
    return fd;
  }

  void serve() {
    base::UniqueFd last;  // stays open: one that is never answered is not closed either
    while (!stopping_) {
      base::UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) continue;
      ++asked_;
      std::array<char, 4096> request;
      (void)!::recv(peer.get(), request.data(), request.size(), 0);
      (void)::send(peer.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (answer_.empty()) last = std::move(peer);
    }
  }

  int family_;
  std::string answer_;
  base::UniqueFd listener_ = listen_on_loopback();
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> asked_ = 0;
  std::thread thread_;
};

std::string answer_of(const std::string& status, const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\nConnection: close\r\n" + headers + "\r\n";
}

constexpr auto kLong = 20s;

}  // namespace

TEST_CASE("health: 2xx is healthy, all else is not") {
  CHECK(is_healthy(Server(answer_of("200 OK")).url(), kLong));
  CHECK(is_healthy(Server(answer_of("204 No Content")).url(), kLong));
  for (const auto* status :
       {"199 Odd", "300 Choices", "304 Not Modified", "404 Not Found", "500 Error", "503 Loading", "999 ?"}) {
    INFO(status);
    CHECK_FALSE(is_healthy(Server(answer_of(status)).url(), 3s));
  }
}

TEST_CASE("health: the loopback of IPv6") {
  std::error_code ignored;
  if (!std::filesystem::exists("/proc/sys/net/ipv6/conf/lo", ignored)) {
    WARN("this host has no IPv6");
    return;
  }
  CHECK(is_healthy(Server(answer_of("200 OK"), AF_INET6).url(), kLong));
  CHECK_FALSE(is_healthy(Server(answer_of("503 Loading"), AF_INET6).url(), kLong));
}

TEST_CASE("health: a redirect is not followed") {
  Server there(answer_of("200 OK"));
  Server here(answer_of("302 Found", "Location: " + there.url() + "\r\n"));
  CHECK_FALSE(is_healthy(here.url(), kLong));
  CHECK(here.asked() == 1);
  CHECK(there.asked() == 0);
}

TEST_CASE("health: one that never answers, or never ends, is not healthy") {
  CHECK_FALSE(is_healthy(Server("").url(), 200ms));
  CHECK_FALSE(is_healthy(Server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab").url(), 200ms));
}

TEST_CASE("health: what is no HTTP, and a port where nobody listens, are not healthy") {
  CHECK_FALSE(is_healthy(Server("SSH-2.0-OpenSSH_9.2\r\n").url(), kLong));
  std::string url;
  {
    Server gone(answer_of("200 OK"));
    url = gone.url();
  }
  CHECK_FALSE(is_healthy(url, kLong));
}

TEST_CASE("health: a large body does not matter") {
  const std::string body(1 << 20, 'x');
  CHECK(is_healthy(
      Server("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body).url(),
      kLong));
}

TEST_CASE("health: only plain http is asked, and no proxy") {
  Server server(answer_of("200 OK"));
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ::setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  CHECK(is_healthy(server.url(), kLong));
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
  CHECK_FALSE(is_healthy("file:///etc/hostname", kLong));
  CHECK_FALSE(is_healthy("https" + server.url().substr(4), 3s));
  CHECK_FALSE(is_healthy("", kLong));
}
