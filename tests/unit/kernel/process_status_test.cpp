// SPDX-License-Identifier: Apache-2.0
#include "kernel/process_status.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>

#include <cstddef>
#include <string>

#include "host/root.hpp"
#include "support/catch.hpp"

using allocd::kernel::parse_process_placement;
using allocd::kernel::parse_process_status;

namespace {

// Captured from Linux 6.18, shortened to the lines around ours.
const std::string kStatus =
    "Name:\tVLLM::Worker_TP\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4711\nVmPeak:\t  900000 kB\n"
    "VmSize:\t  800000 kB\nVmLck:\t       4 kB\nVmPin:\t       8 kB\nVmHWM:\t  123456 kB\nVmRSS:\t  100000 "
    "kB\n"
    "RssAnon:\t   70000 kB\nRssFile:\t   20000 kB\nRssShmem:\t   10000 kB\nVmData:\t  500000 kB\n"
    "VmStk:\t     132 kB\nVmExe:\t       8 kB\nVmLib:\t    2000 kB\nVmPTE:\t     512 kB\nVmSwap:\t    2048 "
    "kB\n"
    "HugetlbPages:\t    4096 kB\nCoreDumping:\t0\nTHP_enabled:\t1\nThreads:\t17\nSigQ:\t0/95000\n"
    "Cpus_allowed:\tff\nCpus_allowed_list:\t0-3,8\nMems_allowed:\t00000003\nMems_allowed_list:\t0-1\n";

}  // namespace

TEST_CASE("status: every kind of memory, in bytes") {
  const auto status = parse_process_status(kStatus);
  REQUIRE(status);
  CHECK(status->has_memory);
  CHECK(status->resident == 100000ULL * 1024);
  CHECK(status->anonymous == 70000ULL * 1024);
  CHECK(status->file == 20000ULL * 1024);
  CHECK(status->shared == 10000ULL * 1024);
  CHECK(status->swap == 2048ULL * 1024);
  CHECK(status->peak_resident == 123456ULL * 1024);
  CHECK(status->locked == 4ULL * 1024);
  CHECK(status->pinned == 8ULL * 1024);
  CHECK(status->page_tables == 512ULL * 1024);
  CHECK(status->hugetlb == 4096ULL * 1024);
  CHECK(status->threads == 17);
}

TEST_CASE("status: where it may run, and whether it may have huge pages") {
  const auto placement = parse_process_placement(kStatus);
  REQUIRE(placement);
  CHECK(placement->cpus_allowed == "0-3,8");
  CHECK(placement->mems_allowed == "0-1");
  CHECK(placement->thp_enabled == true);
  const auto disabled = parse_process_placement("Name:\tTHP_enabled:\nTHP_enabled:\t0\n");
  REQUIRE(disabled);
  CHECK(disabled->thp_enabled == false);
  CHECK(disabled->cpus_allowed.empty());
  const auto odd = parse_process_placement("Name:\tx\nTHP_enabled:\t-1\nCpus_allowed_list:");
  REQUIRE(odd);
  CHECK_FALSE(odd->thp_enabled);
  CHECK_FALSE(parse_process_placement("Cpus_allowed_list:\t0\n"));
}

TEST_CASE("status: huge pages that this process has forbidden itself") {
  const auto read = [] {
    const auto root = allocd::host::Root::open();
    REQUIRE(root);
    const auto text = root->read_file("/proc/self/status");
    REQUIRE(text);
    const auto placement = parse_process_placement(*text);
    REQUIRE(placement);
    return *placement;
  };
  const auto before = read();
  CHECK_FALSE(before.cpus_allowed.empty());
  if (!before.thp_enabled) return;  // a kernel without
  REQUIRE(::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
  const auto after = read();
  REQUIRE(::prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) == 0);
  CHECK(after.thp_enabled == false);
}

TEST_CASE("status: a name that looks like a field is a name") {
  auto text = kStatus;
  text.replace(0, text.find('\n'), "Name:\tVmRSS:\\n 1 kB");
  const auto status = parse_process_status(text);
  REQUIRE(status);
  CHECK(status->resident == 100000ULL * 1024);
}

TEST_CASE("status: a kernel thread has no memory") {
  const auto status = parse_process_status("Name:\tkthreadd\nState:\tS (sleeping)\nThreads:\t1\n");
  REQUIRE(status);
  CHECK_FALSE(status->has_memory);
  CHECK(status->threads == 1);
}

TEST_CASE("status: what is no status is nothing") {
  CHECK_FALSE(parse_process_status(""));
  CHECK_FALSE(parse_process_status("VmRSS:\t1 kB\n"));
  CHECK_FALSE(parse_process_status("Name:\tx\nVmRSS:\tmany kB\n"));
  CHECK_FALSE(parse_process_status("Name:\tx\nVmRSS:\t18446744073709551615 kB\n"));
}

TEST_CASE("status: the split adds up for this process, and follows what it does") {
  const auto root = allocd::host::Root::open();
  REQUIRE(root);
  const auto read = [&] {
    const auto text = root->read_file("/proc/self/status");
    REQUIRE(text);
    const auto status = parse_process_status(*text);
    REQUIRE(status);
    return *status;
  };
  const auto before = read();
  CHECK(before.resident == before.anonymous + before.file + before.shared);
  constexpr std::size_t kSize = std::size_t{32} << 20U;
  void* memory =
      ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  const auto after = read();
  ::munmap(memory, kSize);
  CHECK(after.anonymous >= before.anonymous + kSize / 10 * 9);
  CHECK(after.peak_resident >= after.resident / 10 * 9);
}
