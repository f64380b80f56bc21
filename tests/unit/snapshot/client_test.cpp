// SPDX-License-Identifier: Apache-2.0
#include "snapshot/client.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"
#include "support/sample_snapshot.hpp"

namespace snapshot = allocd::snapshot;
using allocd::base::UniqueFd;

namespace {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(std::filesystem::temp_directory_path() / "allocd-client-XXXXXX") {
    std::string name = path_.string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::string socket() const { return path_ / "snapshot.sock"; }

 private:
  std::filesystem::path path_;
};

UniqueFd listen_on(const std::string& path, int backlog) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), backlog) == 0);
  return fd;
}

void send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0) return;  // the client has seen enough
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// Answers one connection with `serve`, in a thread.
class Server {
 public:
  Server(const std::string& path, std::function<void(int)> serve)
      : listener_(listen_on(path, 4)), thread_([this, serve = std::move(serve)] {
          const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
          if (peer) serve(peer.get());
        }) {}
  ~Server() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  UniqueFd listener_;
  std::thread thread_;
};

// Holds the connection open until the client hangs up.
void wait_for_hang_up(int fd) {
  char byte = 0;
  while (::recv(fd, &byte, 1, 0) > 0) {
  }
}

}  // namespace

TEST_CASE("a snapshot is fetched whole") {
  const TemporaryDirectory directory;
  const auto sample = allocd::test::sample_snapshot();
  const Server server(directory.socket(), [&](int fd) { send_all(fd, snapshot::render_json(sample)); });
  const auto fetched = snapshot::fetch({.socket_path = directory.socket()});
  REQUIRE(fetched);
  CHECK(*fetched == sample);
}

TEST_CASE("a document much larger than the socket's buffer arrives whole") {
  const TemporaryDirectory directory;
  const std::string large(std::size_t{3} << 20U, 'x');
  const Server server(directory.socket(), [&](int fd) { send_all(fd, large); });
  const auto text = snapshot::fetch_text({.socket_path = directory.socket()});
  REQUIRE(text);
  CHECK(*text == large);
}

TEST_CASE("no socket asks whether the service runs") {
  const TemporaryDirectory directory;
  const auto text = snapshot::fetch_text({.socket_path = directory.socket()});
  REQUIRE(!text);
  CHECK(text.error().code == ENOENT);
  CHECK(text.error().message() ==
        "cannot connect to " + directory.socket() + ": no such socket: is allocd.service running?");
}

TEST_CASE("a socket nobody listens on is refused") {
  const TemporaryDirectory directory;
  listen_on(directory.socket(), 1).reset();
  const auto text = snapshot::fetch_text({.socket_path = directory.socket()});
  REQUIRE(!text);
  CHECK(text.error().code == ECONNREFUSED);
}

TEST_CASE("a path that is no socket path is a fault") {
  for (const auto& path : {std::string(), std::string(200, 'a'), std::string("a\0b", 3)}) {
    const auto text = snapshot::fetch_text({.socket_path = path});
    REQUIRE(!text);
    CHECK(text.error().code == ENAMETOOLONG);
  }
}

TEST_CASE("a socket without rights says so") {
  const TemporaryDirectory directory;
  const auto listener = listen_on(directory.socket(), 1);
  REQUIRE(::chmod(directory.socket().c_str(), 0) == 0);
  // Root is refused nothing: ask as nobody, in a process that can give its rights away.
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(EPERM);
    const auto text = snapshot::fetch_text({.socket_path = directory.socket()});
    ::_exit(text ? 0 : text.error().code);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == EACCES);
}

TEST_CASE("silence has a deadline, before the first byte and in the middle") {
  const TemporaryDirectory directory;
  const std::string first = GENERATE(as<std::string>{}, "", "{\"schema_version\":1,");
  const Server server(directory.socket(), [&](int fd) {
    send_all(fd, first);
    wait_for_hang_up(fd);
  });
  const auto text =
      snapshot::fetch_text({.socket_path = directory.socket(), .deadline = std::chrono::milliseconds(50)});
  REQUIRE(!text);
  CHECK(text.error().code == ETIMEDOUT);
  CHECK(text.error().cause == "no answer within 50 ms");
}

TEST_CASE("an endless trickle has the same deadline") {
  const TemporaryDirectory directory;
  const Server server(directory.socket(), [&](int fd) {
    while (::send(fd, " ", 1, MSG_NOSIGNAL) == 1) {
    }
  });
  const auto text = snapshot::fetch_text({.socket_path = directory.socket(),
                                          .deadline = std::chrono::milliseconds(50),
                                          .size_limit = std::size_t{1} << 40U});
  REQUIRE(!text);
  CHECK(text.error().code == ETIMEDOUT);
}

TEST_CASE("a full queue of connections has a deadline too") {
  const TemporaryDirectory directory;
  const auto listener = listen_on(directory.socket(), 0);
  const snapshot::FetchOptions options{.socket_path = directory.socket(),
                                       .deadline = std::chrono::milliseconds(50)};
  // The first connection is queued and never accepted; later ones may not even be queued.
  std::vector<UniqueFd> queued;
  for (int i = 0; i < 8; ++i) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    directory.socket().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      CHECK(errno == EAGAIN);
      break;
    }
    queued.push_back(std::move(fd));
  }
  const auto text = snapshot::fetch_text(options);
  REQUIRE(!text);
  CHECK(text.error().code == ETIMEDOUT);
}

TEST_CASE("more than the limit is refused") {
  const TemporaryDirectory directory;
  const Server server(directory.socket(), [&](int fd) { send_all(fd, std::string(4097, ' ')); });
  const auto text = snapshot::fetch_text({.socket_path = directory.socket(), .size_limit = 4096});
  REQUIRE(!text);
  CHECK(text.error().code == EFBIG);
}

TEST_CASE("exactly the limit is not") {
  const TemporaryDirectory directory;
  const Server server(directory.socket(), [&](int fd) { send_all(fd, std::string(4096, ' ')); });
  CHECK(snapshot::fetch_text({.socket_path = directory.socket(), .size_limit = 4096}).has_value());
}

TEST_CASE("a connection closed without a word, and one closed too early, are faults") {
  const TemporaryDirectory directory;
  const auto text = snapshot::render_json(allocd::test::sample_snapshot());
  const std::string part = GENERATE_COPY(std::string(), text.substr(0, text.size() - 1));
  const Server server(directory.socket(), [&](int fd) { send_all(fd, part); });
  const auto fetched = snapshot::fetch({.socket_path = directory.socket()});
  REQUIRE(!fetched);
  CHECK(fetched.error().cause == (part.empty()
                                      ? "allocd closed the connection without a word"
                                      : "it ends early, after " + std::to_string(part.size()) + " bytes"));
}
