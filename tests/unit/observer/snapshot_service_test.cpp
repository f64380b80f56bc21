// SPDX-License-Identifier: Apache-2.0
// No loop turns in the thread of the test: whatever is served is served by the service's own.
#include "observer/snapshot_service.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "snapshot/client.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using observer::SnapshotBoard;
using observer::SnapshotService;
using snapshot::Detail;

namespace {

snapshot::Snapshot sample(std::uint64_t sequence) {
  snapshot::Snapshot snapshot;
  snapshot.sequence = sequence;
  snapshot::Unit unit;
  unit.name = "vllm.service";
  unit.processes.resize(2);
  snapshot.units.push_back(unit);
  return snapshot;
}

std::unique_ptr<SnapshotService> make_service(SnapshotBoard& board) {
  auto service = SnapshotService::make(board);
  REQUIRE(service);
  return std::move(*service);
}

class Place {
 public:
  [[nodiscard]] std::string path(const std::string& name = "snapshot.sock") const {
    return (directory_.path() / name).string();
  }
  [[nodiscard]] base::Result<snapshot::Snapshot> fetch(const std::string& name = "snapshot.sock") const {
    return snapshot::fetch({.socket_path = path(name)});
  }

 private:
  test::TemporaryDirectory directory_;
};

}  // namespace

TEST_CASE("service: both sockets are served while the owner is busy with something else") {
  SnapshotBoard board;
  board.publish(sample(7));
  const Place place;
  const auto service = make_service(board);
  REQUIRE(service->add(place.path(), Detail::everything));
  REQUIRE(service->add(place.path("summary.sock"), Detail::without_processes));
  REQUIRE(service->start());
  const auto whole = place.fetch();
  REQUIRE(whole);
  CHECK(whole->sequence == 7);
  CHECK(whole->units.at(0).processes.size() == 2);
  const auto summary = place.fetch("summary.sock");
  REQUIRE(summary);
  CHECK(summary->units.at(0).processes.empty());
  board.publish(sample(8));
  CHECK(place.fetch()->sequence == 8);
}

TEST_CASE("service: a socket that cannot be had leaves the other") {
  SnapshotBoard board;
  board.publish(sample(1));
  const Place place;
  const auto service = make_service(board);
  const auto failed = service->add(place.path("no/such/folder.sock"), Detail::everything);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().where == place.path("no/such/folder.sock"));
  REQUIRE(service->add(place.path(), Detail::everything));
  REQUIRE(service->start());
  CHECK(place.fetch());
}

TEST_CASE("service: its end takes the sockets away, started or not") {
  SnapshotBoard board;
  const Place place;
  const bool is_started = GENERATE(true, false);
  {
    const auto service = make_service(board);
    REQUIRE(service->add(place.path(), Detail::everything));
    CHECK(std::filesystem::exists(place.path()));
    if (is_started) REQUIRE(service->start());
  }
  CHECK_FALSE(std::filesystem::exists(place.path()));
}

TEST_CASE("service: samples come while they are read, and none is torn or older than the one before") {
  constexpr std::uint64_t kSamples = 200;
  SnapshotBoard board;
  board.publish(sample(1));
  const Place place;
  const auto service = make_service(board);
  REQUIRE(service->add(place.path(), Detail::everything));
  REQUIRE(service->start());
  std::thread sampler([&board] {
    for (std::uint64_t sequence = 2; sequence <= kSamples; ++sequence) board.publish(sample(sequence));
  });
  std::vector<std::uint64_t> seen;
  do {
    const auto got = place.fetch();
    seen.push_back(got ? got->sequence : 0);
  } while (seen.back() != kSamples && seen.back() != 0);
  sampler.join();
  CHECK(seen.back() == kSamples);
  CHECK(std::ranges::is_sorted(seen));
}
