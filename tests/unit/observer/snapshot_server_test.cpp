// SPDX-License-Identifier: Apache-2.0
#include "observer/snapshot_server.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "observer/event_source.hpp"
#include "snapshot/json.hpp"
#include "support/catch.hpp"
#include "support/child_program.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using observer::SnapshotBoard;
using observer::SnapshotServer;

namespace {

snapshot::Snapshot large_snapshot(std::uint64_t sequence) {
  snapshot::Snapshot snapshot;
  snapshot.sequence = sequence;
  for (int i = 0; i < 2000; ++i) {
    snapshot::Unit unit;
    unit.name = "unit" + std::to_string(i) + ".service";
    snapshot.units.push_back(unit);
  }
  return snapshot;
}

class Fixture {
 public:
  Fixture() {
    sd_event* made = nullptr;
    REQUIRE(sd_event_new(&made) >= 0);
    loop_.reset(made);
    auto started = SnapshotServer::start(made, board, path());
    REQUIRE(started);
    server = std::move(*started);
  }
  [[nodiscard]] std::string path() const { return (directory_.path() / "snapshot.sock").string(); }

  [[nodiscard]] base::UniqueFd connect() const {
    base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path(), static_cast<char*>(address.sun_path));
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    return fd;
  }
  [[nodiscard]] sd_event* loop() const { return loop_.get(); }
  void turn() const { REQUIRE(sd_event_run(loop_.get(), 1000) >= 0); }
  // Everything the server has for this reader, up to its end.
  [[nodiscard]] std::string read_to_end(int fd) const {
    std::string text;
    std::array<char, 65536> chunk{};
    REQUIRE(test::eventually([&] {
      REQUIRE(sd_event_run(loop_.get(), 0) >= 0);
      for (;;) {
        const ssize_t count = ::read(fd, chunk.data(), chunk.size());
        if (count == 0) return true;
        if (count < 0) return false;
        text.append(chunk.data(), static_cast<std::size_t>(count));
      }
    }));
    return text;
  }

  SnapshotBoard board;
  std::unique_ptr<SnapshotServer> server;

 private:
  test::TemporaryDirectory directory_;
  observer::EventLoop loop_;
};

}  // namespace

TEST_CASE("server: a reader gets the whole newest snapshot, then the end") {
  Fixture fixture;
  fixture.board.publish(large_snapshot(1));
  fixture.board.publish(large_snapshot(2));
  const auto reader = fixture.connect();
  const auto parsed = snapshot::parse_json(fixture.read_to_end(reader.get()));
  REQUIRE(parsed);
  CHECK(parsed->sequence == 2);
  CHECK(parsed->units.size() == 2000);
  CHECK(fixture.server->readers() == 0);
}

TEST_CASE("server: one that never reads holds up nobody") {
  Fixture fixture;
  fixture.server->set_deadline(std::chrono::hours(1));  // a sanitizer's build may need longer than usual
  fixture.board.publish(large_snapshot(1));
  const auto silent = fixture.connect();
  fixture.turn();
  REQUIRE(fixture.server->readers() == 1);
  for (std::uint64_t sequence = 2; sequence < 6; ++sequence) {
    fixture.board.publish(large_snapshot(sequence));
    const auto reader = fixture.connect();
    const auto parsed = snapshot::parse_json(fixture.read_to_end(reader.get()));
    REQUIRE(parsed);
    CHECK(parsed->sequence == sequence);
  }
  CHECK(fixture.server->readers() == 1);
  // When it does read, it gets the document it came for, whole.
  const auto parsed = snapshot::parse_json(fixture.read_to_end(silent.get()));
  REQUIRE(parsed);
  CHECK(parsed->sequence == 1);
}

TEST_CASE("server: of too many silent readers the oldest go") {
  Fixture fixture;
  fixture.board.publish(large_snapshot(1));
  std::vector<base::UniqueFd> silent;
  for (std::size_t i = 0; i < SnapshotServer::kMaxReaders + 10; ++i) {
    silent.push_back(fixture.connect());
    fixture.turn();
  }
  CHECK(fixture.server->readers() <= SnapshotServer::kMaxReaders);
  const auto reader = fixture.connect();
  CHECK(snapshot::parse_json(fixture.read_to_end(reader.get())));
}

TEST_CASE("server: a reader that hangs up is forgotten") {
  Fixture fixture;
  fixture.board.publish(large_snapshot(1));
  {
    const auto reader = fixture.connect();
    fixture.turn();
    REQUIRE(fixture.server->readers() == 1);
  }
  CHECK(test::eventually([&] {
    fixture.turn();
    return fixture.server->readers() == 0;
  }));
}

TEST_CASE("server: a living daemon keeps its socket") {
  Fixture fixture;
  fixture.board.publish(large_snapshot(1));
  sd_event* made = nullptr;
  REQUIRE(sd_event_new(&made) >= 0);
  const observer::EventLoop loop(made);
  SnapshotBoard other;
  const auto second = SnapshotServer::start(made, other, fixture.path());
  REQUIRE_FALSE(second);
  CHECK(second.error().cause == "another allocd serves it");
  const auto reader = fixture.connect();
  CHECK(snapshot::parse_json(fixture.read_to_end(reader.get())));
}

TEST_CASE("server: takes over a dead daemon's socket, leaves none behind, and is open to everyone") {
  const test::TemporaryDirectory directory;
  const std::string path = (directory.path() / "s").string();
  sd_event* made = nullptr;
  REQUIRE(sd_event_new(&made) >= 0);
  const observer::EventLoop loop(made);
  SnapshotBoard board;
  {
    base::UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, static_cast<char*>(address.sun_path));
    REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  }
  {
    const auto server = SnapshotServer::start(made, board, path);
    REQUIRE(server);
    CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::others_write) !=
          std::filesystem::perms::none);
  }
  CHECK_FALSE(std::filesystem::exists(path));
  directory.write("file", "precious");
  CHECK(SnapshotServer::start(made, board, (directory.path() / "file").string()).error().code == EADDRINUSE);
  CHECK(std::filesystem::file_size(directory.path() / "file") == 8);
  CHECK_FALSE(SnapshotServer::start(made, board, std::string(200, 'x')));
}

TEST_CASE("server: the summary is the snapshot without its processes") {
  Fixture fixture;
  const test::TemporaryDirectory directory;
  auto sample = large_snapshot(7);
  sample.units.front().processes.resize(3);
  fixture.board.publish(sample);
  const auto whole = snapshot::parse_json(*fixture.board.document());
  const auto summary = snapshot::parse_json(*fixture.board.document(snapshot::Detail::without_processes));
  REQUIRE(whole);
  REQUIRE(summary);
  CHECK(*whole == sample);
  sample.units.front().processes.clear();
  CHECK(*summary == sample);
}

TEST_CASE("server: out of descriptors it rests instead of spinning, and serves when there are some again") {
  Fixture fixture;
  fixture.board.publish(large_snapshot(1));
  const auto reader = fixture.connect();
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int highest = ::dup(0);
  REQUIRE(highest >= 0);
  ::close(highest);
  const rlimit none{static_cast<rlim_t>(highest), before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  fixture.turn();
  // A loop that spun would find work at once, again and again.
  const int idle = sd_event_run(fixture.loop(), 0);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(idle == 0);
  CHECK(snapshot::parse_json(fixture.read_to_end(reader.get())));
}
