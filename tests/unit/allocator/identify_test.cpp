// SPDX-License-Identifier: Apache-2.0
// identify() against living programs of this machine: the dynamic linker itself is the reference.
#include "allocator/identify.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "allocator/classify.hpp"
#include "support/catch.hpp"
#include "support/child_program.hpp"

using namespace allocd;
using allocator::Identification;
using allocator::Kind;
using allocator::LibraryState;
using allocator::OnDisk;
using allocator::Outcome;
using allocator::Rung;
using test::ChildProgram;

namespace {

const std::string kLibraries = "/usr/lib/x86_64-linux-gnu/";
const std::string kJemalloc = kLibraries + "libjemalloc.so.2";
const std::string kTcmalloc = kLibraries + "libtcmalloc_minimal.so.4";
const std::string kMimalloc = kLibraries + "libmimalloc.so.2.0";

Identification identify_now(const ChildProgram& child) {
  allocator::FingerprintCache cache;
  return allocator::identify({child.pid(), child.directory()}, cache, [] { return true; });
}

// Until the program has got past its dynamic linker and, where asked, is the program meant.
Identification identify_settled(const ChildProgram& child, Kind expected) {
  Identification result;
  test::eventually([&] {
    result = identify_now(child);
    return result.outcome == Outcome::ok && result.evidence.active == expected;
  });
  INFO(result.evidence.detail);
  CHECK(result.outcome == Outcome::ok);
  CHECK(allocator::kKindNames.name(result.evidence.active) == allocator::kKindNames.name(expected));
  return result;
}

const allocator::Library* find_library(const Identification& result, Kind kind) {
  const auto found = std::ranges::find(result.evidence.libraries, kind, &allocator::Library::kind);
  return found == result.evidence.libraries.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("a program with no preload uses glibc") {
  const ChildProgram child({"/bin/sleep", "100"}, {});
  const auto result = identify_settled(child, Kind::glibc);
  CHECK(result.evidence.rung == Rung::resolved);
  CHECK(result.evidence.mappings.value_or(0) > 10);
  CHECK(result.evidence.glibc_heaps == 0U);
  CHECK_FALSE(result.evidence.jemalloc_background_threads);
  REQUIRE(result.evidence.libraries.size() == 1);
  CHECK(result.evidence.libraries[0].state == LibraryState::active);
  CHECK(result.evidence.libraries[0].on_disk == OnDisk::current);
  CHECK(result.evidence.libraries[0].build_id.size() == 40);
  CHECK(result.image.known());
}

TEST_CASE("a preloaded allocator is the active one") {
  const auto [path, kind] = GENERATE_COPY(table<std::string, Kind>(
      {{kJemalloc, Kind::jemalloc}, {kTcmalloc, Kind::tcmalloc}, {kMimalloc, Kind::mimalloc}}));
  const ChildProgram child({"/bin/sleep", "100"}, {"LD_PRELOAD=" + path});
  const auto result = identify_settled(child, kind);
  const auto* library = find_library(result, kind);
  REQUIRE(library != nullptr);
  CHECK(library->state == LibraryState::active);
  CHECK(allocator::base_name(library->path).starts_with(allocator::base_name(path)));
  CHECK(find_library(result, Kind::glibc) == nullptr);
}

TEST_CASE("of two preloaded allocators the first is active and the second is mapped only") {
  const bool tcmalloc_first = GENERATE(true, false);
  const std::string preload = tcmalloc_first ? kTcmalloc + ":" + kJemalloc : kJemalloc + ":" + kTcmalloc;
  const ChildProgram child({"/bin/sleep", "100"}, {"LD_PRELOAD=" + preload});
  const auto result = identify_settled(child, tcmalloc_first ? Kind::tcmalloc : Kind::jemalloc);
  const auto* idle = find_library(result, tcmalloc_first ? Kind::jemalloc : Kind::tcmalloc);
  REQUIRE(idle != nullptr);
  CHECK(idle->state == LibraryState::mapped_not_active);
}

TEST_CASE("jemalloc's background threads are counted") {
  const ChildProgram child({"/bin/sleep", "100"},
                           {"LD_PRELOAD=" + kJemalloc, "MALLOC_CONF=background_thread:true"});
  CHECK(test::eventually(
      [&] { return identify_now(child).evidence.jemalloc_background_threads.value_or(0) >= 1; }));
}

TEST_CASE("a program started as an argument of the dynamic linker is seen through") {
  const ChildProgram child({"/lib64/ld-linux-x86-64.so.2", "--preload", kJemalloc, "/bin/sleep", "100"}, {});
  CHECK(identify_settled(child, Kind::jemalloc).evidence.rung == Rung::resolved);
}

TEST_CASE("a library path keeps its blanks, its newline and its true ending") {
  const std::string name =
      GENERATE(as<std::string>{}, "two  spaces.so", "new\nline.so", "truly (deleted)", "back\\012slash.so");
  const auto directory =
      std::filesystem::temp_directory_path() / ("allocd-names-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  const auto copy = directory / name;
  std::filesystem::copy_file(std::filesystem::canonical(kJemalloc), copy,
                             std::filesystem::copy_options::overwrite_existing);
  // ld.so splits LD_PRELOAD at blanks; --preload of the linker does too. A link without blanks leads to the
  // file.
  const auto link = directory / "link.so";
  std::filesystem::remove(link);
  std::filesystem::create_hard_link(copy, link);
  std::filesystem::remove(copy);
  std::filesystem::rename(link, copy);
  const auto symlink = directory / "preload.so";
  std::filesystem::remove(symlink);
  std::filesystem::create_symlink(copy, symlink);
  {
    const ChildProgram child({"/bin/sleep", "100"}, {"LD_PRELOAD=" + symlink.string()});
    const auto result = identify_settled(child, Kind::jemalloc);
    const auto* library = find_library(result, Kind::jemalloc);
    REQUIRE(library != nullptr);
    CHECK(library->path == copy.string());
    CHECK(library->on_disk == OnDisk::current);
    std::filesystem::remove(copy);
    const auto after = identify_settled(child, Kind::jemalloc);
    library = find_library(after, Kind::jemalloc);
    REQUIRE(library != nullptr);
    CHECK(library->path == copy.string());
    CHECK(library->on_disk == OnDisk::deleted);
    std::filesystem::copy_file(kMimalloc, copy);
    const auto replaced = identify_settled(child, Kind::jemalloc);
    library = find_library(replaced, Kind::jemalloc);
    REQUIRE(library != nullptr);
    CHECK(library->on_disk == OnDisk::replaced);
  }
  std::filesystem::remove_all(directory);
}

TEST_CASE("a process that has exited is gone") {
  ChildProgram child({"/bin/sleep", "100"}, {});
  child.stop();
  allocator::FingerprintCache cache;
  const auto result = allocator::identify({1 << 21, child.directory()}, cache, [] { return true; });
  CHECK(result.outcome == Outcome::gone);
}

TEST_CASE("giving up is an outcome of its own") {
  const ChildProgram child({"/bin/sleep", "100"}, {});
  allocator::FingerprintCache cache;
  const auto result = allocator::identify({child.pid(), child.directory()}, cache, [] { return false; });
  CHECK(result.outcome == Outcome::given_up);
}
