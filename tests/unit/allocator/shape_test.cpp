// SPDX-License-Identifier: Apache-2.0
// Heap shape, names and fingerprints: pure parts of allocator evidence.
#include <malloc.h>
#include <pthread.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "allocator/classify.hpp"
#include "allocator/fingerprint.hpp"
#include "allocator/heap_shape.hpp"
#include "allocator/survey.hpp"
#include "host/root.hpp"
#include "kernel/maps.hpp"
#include "support/catch.hpp"
#include "support/sanitized.hpp"

using namespace allocd;
using allocator::Kind;

namespace {

std::uint32_t count_heaps(const std::string& maps) {
  allocator::HeapCounter counter;
  REQUIRE(kernel::visit_maps_text(maps, [&](const kernel::Mapping& mapping) { counter.add(mapping); }) == 0);
  return counter.heaps();
}

#if !defined(ALLOCD_SANITIZED)
// glibc's own count: malloc_info(3) lists each arena, and its heaps as "subheaps".
std::uint32_t heaps_by_malloc_info() {
  char* text = nullptr;
  std::size_t size = 0;
  FILE* stream = ::open_memstream(&text, &size);
  REQUIRE(stream != nullptr);
  REQUIRE(::malloc_info(0, stream) == 0);
  std::fclose(stream);
  const std::string report(text, size);
  std::free(text);
  const std::string mark = "<aspace type=\"subheaps\" size=\"";
  std::uint32_t heaps = 0;
  for (auto at = report.find(mark); at != std::string::npos; at = report.find(mark, at + 1)) {
    heaps += static_cast<std::uint32_t>(std::stoul(report.substr(at + mark.size())));
  }
  return heaps;
}
#endif

}  // namespace

TEST_CASE("heaps: a partly used one, a full one, merged ones") {
  CHECK(count_heaps(
            "7f0000000000-7f0000021000 rw-p 0 00:00 0 \n7f0000021000-7f0004000000 ---p 0 00:00 0 \n") == 1);
  CHECK(count_heaps("7f0000000000-7f0004000000 rw-p 0 00:00 0 \n") == 1);
  CHECK(count_heaps(
            "7f0000000000-7f0008021000 rw-p 0 00:00 0 \n7f0008021000-7f000c000000 ---p 0 00:00 0 \n") == 3);
}

TEST_CASE("heaps: what only looks alike") {
  CHECK(count_heaps(
            "7f0000001000-7f0000021000 rw-p 0 00:00 0 \n7f0000021000-7f0004000000 ---p 0 00:00 0 \n") == 0);
  CHECK(count_heaps("7f0000000000-7f0000021000 rw-p 0 00:00 0 \n") == 0);
  CHECK(count_heaps(
            "7f0000000000-7f0000021000 rw-p 0 00:00 0 \n7f0000021000-7f0000022000 ---p 0 00:00 0 \n") == 0);
  CHECK(count_heaps(
            "7f0000000000-7f0000021000 rw-p 0 00:00 0 \n7f0000022000-7f0004000000 ---p 0 00:00 0 \n") == 0);
  CHECK(count_heaps("7f0000000000-7f0004000000 rw-p 0 00:00 0 [heap]\n") == 0);
  CHECK(count_heaps("7f0000000000-7f0004000000 rw-p 0 08:01 7 /data\n") == 0);
}

#if !defined(ALLOCD_SANITIZED)
TEST_CASE("heaps: as many as malloc_info tells of, with arenas of our own making") {
  constexpr int kThreads = 4;
  pthread_barrier_t filled;
  pthread_barrier_t counted;
  pthread_barrier_init(&filled, nullptr, kThreads + 1);
  pthread_barrier_init(&counted, nullptr, kThreads + 1);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      std::vector<void*> blocks;
      // Below the mmap threshold, so that all of it comes from the arena: one to several heaps of 64 MiB.
      for (int n = 0; n < 700 * (i + 1); ++n) blocks.push_back(std::malloc(100'000));
      pthread_barrier_wait(&filled);
      pthread_barrier_wait(&counted);
      for (void* block : blocks) std::free(block);
    });
  }
  pthread_barrier_wait(&filled);
  const std::uint32_t expected = heaps_by_malloc_info();
  allocator::Survey survey;
  const auto root = host::Root::open();
  const auto text = root->read_file("/proc/self/maps");
  REQUIRE(text);
  REQUIRE(kernel::visit_maps_text(*text, [&](const kernel::Mapping& mapping) { survey.add(mapping); }) == 0);
  pthread_barrier_wait(&counted);
  for (auto& thread : threads) thread.join();
  pthread_barrier_destroy(&filled);
  pthread_barrier_destroy(&counted);
  CHECK(expected > 4);
  CHECK(survey.heaps() == expected);
}
#endif

TEST_CASE("names: allocator libraries, and names that only begin alike") {
  CHECK(allocator::decide_kind_by_name("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2") == Kind::jemalloc);
  CHECK(allocator::decide_kind_by_name("/opt/libjemalloc-5.3.0.so") == Kind::jemalloc);
  CHECK(allocator::decide_kind_by_name("libtcmalloc_minimal.so.4.5.9") == Kind::tcmalloc);
  CHECK(allocator::decide_kind_by_name("/x/libmimalloc-secure.so.2.0") == Kind::mimalloc);
  CHECK(allocator::decide_kind_by_name("/x/libtbbmalloc_proxy.so.2") == Kind::other);
  CHECK_FALSE(allocator::decide_kind_by_name("/x/libjemallocator.so"));
  CHECK_FALSE(allocator::decide_kind_by_name("/libjemalloc.so.2/libfoo.so"));
  CHECK_FALSE(allocator::decide_kind_by_name("/usr/share/doc/libjemalloc2"));
  CHECK_FALSE(allocator::decide_kind_by_name(""));
}

TEST_CASE("definers: told by what they export, whatever their name") {
  const auto defines = [](const char* only) {
    return [only](const char* symbol) { return std::string(symbol) == only; };
  };
  CHECK(allocator::decide_definer_kind("/tmp/renamed.so", defines("mallctl")) == Kind::jemalloc);
  CHECK(allocator::decide_definer_kind("/usr/bin/redis-server", defines("je_mallctl")) == Kind::jemalloc);
  CHECK(allocator::decide_definer_kind("/tmp/libjemalloc.so.2", defines("tc_malloc")) == Kind::tcmalloc);
  CHECK(allocator::decide_definer_kind("/lib/libc.so.6", defines("gnu_get_libc_version")) == Kind::glibc);
  CHECK(allocator::decide_definer_kind("/lib/ld-musl-x86_64.so.1", defines("")) == Kind::musl);
  CHECK(allocator::decide_definer_kind("/usr/lib/libasan.so.8", defines("__asan_init")) == Kind::other);
}

TEST_CASE("fingerprints: one is an answer, two are none") {
  const std::string je = std::string("xx<jemal") + "loc>: yy";
  const std::string tc = std::string("TCMAL") + "LOC_HEAP";
  CHECK(allocator::find_fingerprint(je).kind() == Kind::jemalloc);
  CHECK(allocator::find_fingerprint(tc).kind() == Kind::tcmalloc);
  CHECK(allocator::find_fingerprint(je + tc).kind() == Kind::unknown);
  CHECK(allocator::find_fingerprint("nothing").kind() == Kind::unknown);
  CHECK(allocator::find_fingerprint(std::string("malloc_consol") + "idate(): x").kind() == Kind::glibc);
}

TEST_CASE("fingerprints: a mark across the seam of two chunks is found, and the cache holds it") {
  std::string content((std::size_t{1} << 20U) - 4, '\0');
  content += std::string("<jemal") + "loc>";
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  REQUIRE(std::fwrite(content.data(), 1, content.size(), file) == content.size());
  std::fflush(file);
  allocator::FingerprintCache cache;
  const auto found = cache.of_file(::fileno(file), [] { return true; });
  REQUIRE(found);
  CHECK(found->jemalloc);
  CHECK(found->complete);
  CHECK(cache.of_file(::fileno(file), [] { return false; }) == found);
  std::fclose(file);
}
