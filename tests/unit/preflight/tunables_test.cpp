// SPDX-License-Identifier: Apache-2.0
#include "preflight/tunables.hpp"

#include "support/catch.hpp"

using allocd::preflight::decide_tunables;
using allocd::preflight::own_glibc_minor;
using allocd::preflight::Reason;

TEST_CASE("tunables that glibc takes pass") {
  CHECK(decide_tunables("glibc.malloc.arena_max=2", 36).reason == Reason::ok);
  CHECK(decide_tunables(
            "glibc.malloc.arena_max=1:glibc.malloc.trim_threshold=131072:glibc.malloc.mmap_threshold=0x20000",
            34)
            .reason == Reason::ok);
  CHECK(decide_tunables("glibc.malloc.hugetlb=1", 35).reason == Reason::ok);
  CHECK(own_glibc_minor() >= 34);
}

TEST_CASE("what glibc would ignore without a word is refused") {
  const char* value =
      GENERATE("", "glibc.malloc.arena_max", "glibc.malloc.arenas=1",
               "glibc.malloc.arena_max=", "glibc.malloc.arena_max=0", "glibc.malloc.arena_max=-1",
               "glibc.malloc.arena_max=2M", "glibc.malloc.arena_max= 2",
               "glibc.malloc.arena_max=2:", "glibc.malloc.arena_max=010",
               "glibc.malloc.arena_max=18446744073709551616", "glibc.malloc.perturb=256",
               "glibc.malloc.check=0x", "glibc.rtld.nns=1", "\033[31m=1");
  const auto found = decide_tunables(value, 36);
  INFO(value);
  CHECK(found.reason == Reason::bad_tunable);
  CHECK_FALSE(found.sentence.empty());
  CHECK(found.sentence.find('\033') == std::string::npos);
}

TEST_CASE("what glibc takes depends on its version") {
  CHECK(decide_tunables("glibc.malloc.hugetlb=1", 34).reason == Reason::bad_tunable);
  CHECK(decide_tunables("glibc.malloc.mmap_threshold=33554433", 34).reason == Reason::bad_tunable);
  CHECK(decide_tunables("glibc.malloc.mmap_threshold=33554433", 35).reason == Reason::ok);
  CHECK(decide_tunables("glibc.malloc.mmap_threshold=33554432", 34).reason == Reason::ok);
}
