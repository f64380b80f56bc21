// SPDX-License-Identifier: Apache-2.0
#include "kernel/costly.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/unique_fd.hpp"
#include "host/root.hpp"
#include "kernel/process_status.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using kernel::CostlyFailure;
using kernel::NumaMaps;
using kernel::PageKind;
using kernel::SmapsKey;

namespace {

// Captured from Linux 6.18, shortened.
const std::string kRollup =
    "55d1ee473000-7fff6deb8000 ---p 00000000 00:00 0                          [rollup]\n"
    "Rss:                1640 kB\nPss:                 234 kB\nPss_Dirty:           112 kB\n"
    "Shared_Clean:       1484 kB\nPrivate_Dirty:       112 kB\nAnonHugePages:      2048 kB\n"
    "Swap:                  0 kB\nLocked:                4 kB\n";

std::uint64_t bytes_of(const NumaMaps& maps, unsigned node, PageKind kind) {
  return maps.nodes().at(node).at(static_cast<std::size_t>(kind));
}

base::UniqueFd open_own_directory() {
  const auto root = host::Root::open();
  REQUIRE(root);
  auto fd = root->open_directory("/proc/self");
  REQUIRE(fd);
  return std::move(*fd);
}

base::UniqueFd open_tree(const test::TemporaryDirectory& tree) {
  base::UniqueFd fd(::open(tree.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(fd);
  return fd;
}

}  // namespace

TEST_CASE("smaps_rollup: what is there, in bytes; what is not is absent") {
  const auto rollup = kernel::parse_smaps_rollup(kRollup);
  REQUIRE(rollup);
  CHECK((*rollup)[SmapsKey::Rss] == 1640U * 1024);
  CHECK((*rollup)[SmapsKey::AnonHugePages] == 2048U * 1024);
  CHECK((*rollup)[SmapsKey::Swap] == 0U);
  CHECK((*rollup)[SmapsKey::Locked] == 4U * 1024);
  CHECK_FALSE((*rollup)[SmapsKey::SwapPss]);
}

TEST_CASE("smaps_rollup: cut short at any byte it is nothing, or all lines up to there") {
  for (std::size_t size = 0; size < kRollup.size(); ++size) {
    const auto rollup = kernel::parse_smaps_rollup(std::string_view(kRollup).substr(0, size));
    const bool ends_with_line = size > 82 && kRollup[size - 1] == '\n';
    CAPTURE(size);
    REQUIRE(rollup.has_value() == ends_with_line);
  }
  CHECK_FALSE(kernel::parse_smaps_rollup("Rss: 1 kB\n"));
  CHECK_FALSE(kernel::parse_smaps_rollup("x [rollup]\nRss: 99999999999999999999 kB\n"));
}

TEST_CASE("smaps_rollup: of this process, as its status has it") {
  const auto self = open_own_directory();
  const auto rollup = kernel::read_smaps_rollup(self.get());
  REQUIRE(rollup);
  const auto text = host::read_file_at(self.get(), "status");
  REQUIRE(text);
  const auto status = kernel::parse_process_status(*text);
  REQUIRE(status);
  const auto rss = static_cast<double>((*rollup)[SmapsKey::Rss].value_or(0));
  CHECK(rss == Approx(static_cast<double>(status->resident)).epsilon(0.3));
  CHECK((*rollup)[SmapsKey::Pss] <= (*rollup)[SmapsKey::Rss]);
}

TEST_CASE("numa_maps: pages by node and kind, and the policies") {
  NumaMaps maps;
  CHECK(
      maps.add("55c5032be000 default file=/usr/bin/head mapped=2 N0=2 kernelpagesize_kB=4\n"
               "55c5032c9000 default file=/usr/bin/a\\040b anon=1 dirty=1 active=0 N0=1 kernelpagesize_kB=4\n"
               "7f0000000000 bind:1 anon=10 dirty=10 N0=4 N1=6 kernelpagesize_kB=4\n"
               "7f0100000000 interleave=static:0-1 heap\n"));
  CHECK(
      maps.add("7f0200000000 bind:1 file=/anon_hugepage\\040(deleted) huge anon=3 dirty=3 N1=3 "
               "kernelpagesize_kB=2048\n"
               "7ffd00000000 default stack anon=5 dirty=5 N0=5 kernelpagesize_kB=64\n"));
  CHECK(maps.mappings() == 6);
  CHECK(bytes_of(maps, 0, PageKind::file) == 3U * 4096);
  CHECK(bytes_of(maps, 0, PageKind::anon) == 4U * 4096 + 5U * 65536);
  CHECK(bytes_of(maps, 1, PageKind::anon) == 6U * 4096);
  CHECK(bytes_of(maps, 1, PageKind::hugetlb) == 3U * 2048 * 1024);
  REQUIRE(maps.policies().size() == 3);
  CHECK(maps.policies()[0].policy == "default");
  CHECK(maps.policies()[0].mappings == 3);
  CHECK(maps.policies()[1].policy == "bind:1");
  CHECK(maps.policies()[1].bytes == 10U * 4096 + 3U * 2048 * 1024);
  CHECK(maps.policies()[2].bytes == 0);
}

TEST_CASE("numa_maps: many policies end in one") {
  NumaMaps maps;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(maps.add("1000 prefer:" + std::to_string(i) + " anon=1 N0=1 kernelpagesize_kB=4\n"));
  }
  REQUIRE(maps.policies().size() == NumaMaps::kMaxPolicies + 1);
  CHECK(maps.policies().back().policy == "other");
  CHECK(maps.policies().back().mappings == 100 - NumaMaps::kMaxPolicies);
}

TEST_CASE("numa_maps: what is none") {
  for (const char* line :
       {"\n", "zz default\n", "1000\n", "1000 default N0=1\n", "1000 default N0=x kernelpagesize_kB=4\n",
        "1000 default N0= kernelpagesize_kB=4\n",
        "1000 default N0=18446744073709551615 kernelpagesize_kB=4\n",
        "1000 default N0=1 kernelpagesize_kB=\n", "1000 default N70000=1 kernelpagesize_kB=4\n"}) {
    CAPTURE(line);
    CHECK_FALSE(NumaMaps().add(line));
  }
}

TEST_CASE("numa_maps: of this process, memory that it touched") {
  const auto self = open_own_directory();
  const auto before = kernel::read_numa_maps(self.get());
  if (!before && before.error() == CostlyFailure::unsupported) {
    WARN("a kernel without NUMA");
    return;
  }
  REQUIRE(before);
  constexpr std::size_t kSize = std::size_t{16} << 20U;
  void* memory =
      ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  const auto after = kernel::read_numa_maps(self.get());
  ::munmap(memory, kSize);
  REQUIRE(after);
  const auto anon = [](const NumaMaps& maps) {
    std::uint64_t sum = 0;
    for (const auto& [node, bytes] : maps.nodes()) sum += bytes.at(static_cast<std::size_t>(PageKind::anon));
    return sum;
  };
  CHECK(anon(*after) >= anon(*before) + kSize / 10 * 9);
}

TEST_CASE("costly reads: why there is nothing") {
  const auto self = open_own_directory();
  CHECK(kernel::read_numa_maps(self.get(), [] { return false; }).error() == CostlyFailure::stopped);
  const test::TemporaryDirectory gone;
  CHECK(kernel::read_smaps_rollup(open_tree(gone).get()).error() == CostlyFailure::gone);
  CHECK(kernel::read_numa_maps(open_tree(gone).get()).error() == CostlyFailure::gone);
  const test::TemporaryDirectory old;
  old.write("stat", "1 (x) S\n");
  CHECK(kernel::read_smaps_rollup(open_tree(old).get()).error() == CostlyFailure::unsupported);
  const test::TemporaryDirectory odd;
  odd.write("smaps_rollup", "Rss: 1 kB");
  odd.write("numa_maps", "1000 default N0=1");
  CHECK(kernel::read_smaps_rollup(open_tree(odd).get()).error() == CostlyFailure::malformed);
  CHECK(kernel::read_numa_maps(open_tree(odd).get()).error() == CostlyFailure::malformed);
}

TEST_CASE("costly reads: a process that has ended is gone") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(0);
  siginfo_t ended{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) == 0);
  const auto root = host::Root::open();
  REQUIRE(root);
  const auto zombie = root->open_directory("/proc/" + std::to_string(child));
  REQUIRE(zombie);
  CHECK(kernel::read_smaps_rollup(zombie->get()).error() == CostlyFailure::gone);
  const auto numa = kernel::read_numa_maps(zombie->get());
  CHECK_FALSE(numa);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(kernel::read_smaps_rollup(zombie->get()).error() == CostlyFailure::gone);
}
