// SPDX-License-Identifier: Apache-2.0
#include "observer/role_sums.hpp"

#include <map>

#include "support/catch.hpp"

using namespace allocd;

TEST_CASE("roles: sums are the sums of their processes") {
  snapshot::Process process;
  process.role = engine::Role::worker;
  process.memory.resident = 100;
  process.memory.anonymous = 60;
  process.memory.hugetlb = 2048;
  process.placement.thp_enabled = true;
  process.threads = 3;
  process.evidence.active = allocator::Kind::tcmalloc;
  process.evidence.rung = allocator::Rung::resolved;
  process.evidence.mappings = 500;
  process.evidence.libraries = {
      {allocator::Kind::tcmalloc, allocator::LibraryState::active, "/t", "", allocator::OnDisk::deleted},
      {allocator::Kind::jemalloc, allocator::LibraryState::mapped_not_active, "/j", "",
       allocator::OnDisk::current},
      {allocator::Kind::mimalloc, allocator::LibraryState::embedded, "/m", "", allocator::OnDisk::current}};
  auto other = process;
  other.memory.resident = 700;
  other.placement.thp_enabled = false;
  other.evidence.mappings = 900;
  other.evidence.libraries.clear();
  other.evidence.active = allocator::Kind::glibc;
  other.evidence.rung = allocator::Rung::mapped;
  auto server = process;
  server.role = engine::Role::api_server;
  const auto sums = observer::sum_roles({process, server, other});
  REQUIRE(sums.size() == 2);
  CHECK(sums[0].role == engine::Role::api_server);
  const auto& workers = sums[1];
  CHECK(workers.processes == 2);
  CHECK(workers.memory.resident == 800);
  CHECK(workers.max_resident == 700);
  CHECK(workers.memory.hugetlb == 4096);
  CHECK(workers.thp_disabled == 1);
  CHECK(workers.max_mappings == 900);
  CHECK(workers.threads == 6);
  CHECK(workers.active.at(allocator::Kind::tcmalloc) == 1);
  CHECK(workers.active.at(allocator::Kind::glibc) == 1);
  CHECK(workers.mapped_not_active.at(allocator::Kind::jemalloc) == 1);
  CHECK(workers.libraries_off_disk == 1);
  CHECK(workers.rungs == std::map<allocator::Rung, std::uint32_t>{{allocator::Rung::mapped, 1},
                                                                  {allocator::Rung::resolved, 1}});
  CHECK(workers.embedded == std::map<allocator::Kind, std::uint32_t>{{allocator::Kind::mimalloc, 1}});
}
