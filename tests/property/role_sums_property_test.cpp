// SPDX-License-Identifier: Apache-2.0
// However the processes of a unit are divided, the sums of the parts add up to the sum of the whole; their
// order does not matter. Seeds are printed on failure.
#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "observer/role_sums.hpp"
#include "support/catch.hpp"
#include "support/rounds.hpp"

namespace {

using namespace allocd;
using snapshot::Memory;
using snapshot::Process;
using snapshot::RoleSum;

std::vector<std::uint64_t Memory::*> memory_members() {
  return {&Memory::resident,    &Memory::anonymous,     &Memory::file,   &Memory::shared,
          &Memory::swap,        &Memory::peak_resident, &Memory::locked, &Memory::pinned,
          &Memory::page_tables, &Memory::hugetlb};
}

class Maker {
 public:
  explicit Maker(std::uint32_t seed) : random_(seed) {}

  std::vector<Process> processes() {
    std::vector<Process> made(below(12));
    for (auto& process : made) fill(process);
    return made;
  }
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
  std::mt19937& random() { return random_; }

 private:
  void fill(Process& process) {
    process.role = pick<engine::Role>(4);
    for (const auto member : memory_members()) process.memory.*member = below(1U << 20U);
    process.threads = below(100);
    process.minor_faults = below(1000);
    process.major_faults = below(1000);
    process.state = pick<policy::State>(4);
    if (below(3) > 0) process.placement.thp_enabled = below(2) == 0;
    auto& evidence = process.evidence;
    evidence.active = pick<allocator::Kind>(4);
    evidence.rung = pick<allocator::Rung>(3);
    if (below(3) > 0) evidence.mappings = below(1000);
    if (below(3) > 0) evidence.glibc_heaps = below(10);
    if (below(3) > 0) evidence.jemalloc_background_threads = below(4);
    evidence.libraries.resize(below(4));
    for (auto& library : evidence.libraries) {
      library.kind = pick<allocator::Kind>(4);
      library.state = pick<allocator::LibraryState>(4);
      library.on_disk = pick<allocator::OnDisk>(4);
    }
  }
  // One of the first `count` values.
  template <typename Enum>
  Enum pick(std::uint32_t count) {
    return static_cast<Enum>(below(count));
  }

  std::mt19937 random_;
};

template <typename Key>
void add(std::map<Key, std::uint32_t>& sum, const std::map<Key, std::uint32_t>& part) {
  for (const auto& [key, count] : part) sum[key] += count;
}

void add(RoleSum& sum, const RoleSum& part) {
  sum.processes += part.processes;
  for (const auto member : memory_members()) sum.memory.*member += part.memory.*member;
  sum.max_resident = std::max(sum.max_resident, part.max_resident);
  sum.threads += part.threads;
  sum.minor_faults += part.minor_faults;
  sum.major_faults += part.major_faults;
  sum.max_mappings = std::max(sum.max_mappings, part.max_mappings);
  sum.glibc_heaps += part.glibc_heaps;
  sum.jemalloc_background_threads += part.jemalloc_background_threads;
  add(sum.active, part.active);
  add(sum.rungs, part.rungs);
  add(sum.mapped_not_active, part.mapped_not_active);
  add(sum.embedded, part.embedded);
  sum.libraries_off_disk += part.libraries_off_disk;
  add(sum.states, part.states);
  sum.thp_disabled += part.thp_disabled;
}

// In the order of roles, as the code under test promises.
std::vector<RoleSum> add_up(const std::vector<std::vector<Process>>& parts) {
  std::map<engine::Role, RoleSum> sums;
  for (const auto& part : parts) {
    for (const auto& sum : observer::sum_roles(part)) {
      sums[sum.role].role = sum.role;
      add(sums[sum.role], sum);
    }
  }
  std::vector<RoleSum> ordered;
  for (const auto& [role, sum] : sums) ordered.push_back(sum);
  return ordered;
}

}  // namespace

TEST_CASE("role sums: the parts of any division add up to the whole") {
  for (int round = 0; round < test::rounds(3000); ++round) {
    const auto seed = static_cast<std::uint32_t>(round);
    INFO("seed " << seed);
    Maker maker(seed);
    const auto whole = maker.processes();
    std::vector<std::vector<Process>> parts(1 + maker.below(4));
    for (const auto& process : whole)
      parts[maker.below(static_cast<std::uint32_t>(parts.size()))].push_back(process);
    const auto sums = observer::sum_roles(whole);
    CHECK(add_up(parts) == sums);
    auto shuffled = whole;
    std::ranges::shuffle(shuffled, maker.random());
    CHECK(observer::sum_roles(shuffled) == sums);
    std::uint32_t counted = 0;
    for (const auto& sum : sums) {
      CHECK(sum.processes > 0);
      counted += sum.processes;
    }
    CHECK(counted == whole.size());
  }
}
