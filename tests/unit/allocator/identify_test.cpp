// SPDX-License-Identifier: Apache-2.0
// identify() against living programs of this machine: the dynamic linker itself is the reference.
#include "allocator/identify.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allocator/classify.hpp"
#include "support/catch.hpp"
#include "support/child_program.hpp"
#include "support/this_machine.hpp"
#include "support/traced_program.hpp"

using namespace allocd;
using allocator::Identification;
using allocator::Kind;
using allocator::LibraryState;
using allocator::OnDisk;
using allocator::Outcome;
using allocator::Rung;
using test::ChildProgram;

namespace {

using test::kLibraries;
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
  const ChildProgram child({test::kDynamicLinkerPath, "--preload", kJemalloc, "/bin/sleep", "100"}, {});
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

TEST_CASE("before the dynamic linker has finished, nothing is claimed, and it says that it was early") {
  test::TracedProgram program({"/bin/sleep", "100"});
  allocator::FingerprintCache cache;
  const auto read = [&] {
    return allocator::identify({program.pid(), program.directory()}, cache, [] { return true; });
  };
  const auto early = read();
  CHECK(early.outcome == Outcome::early);
  CHECK(early.evidence.active == Kind::unknown);
  CHECK(early.evidence.rung == Rung::mapped);
  CHECK(early.evidence.detail.find("dynamic linker has not finished") != std::string::npos);
  CHECK(early.image.known());
  program.let_go();
  REQUIRE(test::eventually([&] { return read().outcome == Outcome::ok; }));
  const auto settled = read();
  CHECK(settled.evidence.active == Kind::glibc);
  CHECK(settled.evidence.rung == Rung::resolved);
  CHECK(settled.image == early.image);
}

namespace {

// A shell that becomes a shell, for ever. Each image has a longer argument than the one before, so its stack
// starts elsewhere even where addresses are not random.
const std::vector<std::string> kExecsForever{
    "/bin/sh", "-c", R"(exec /bin/sh -c "$0" "$0" "$1 longer by more than the kernel rounds to")",
    R"(exec /bin/sh -c "$0" "$0" "$1 longer by more than the kernel rounds to")", "x"};

}  // namespace

TEST_CASE("a program that is another one each time it was read is not mixed of several") {
  test::TracedProgram program(kExecsForever);
  allocator::FingerprintCache cache;
  int steps = 0;
  // Asked between the steps of a read: another program with each, as an exec in a loop may do at its worst.
  const auto result = allocator::identify({program.pid(), program.directory()}, cache, [&] {
    ++steps;
    return program.run_to_next_exec();
  });
  CHECK(steps >= 3);
  CHECK(result.outcome == Outcome::changed);
  CHECK(result.evidence.active == Kind::unknown);
  CHECK(result.evidence.rung == Rung::none);
  CHECK(result.evidence.libraries.empty());
  CHECK_FALSE(result.evidence.mappings);
  CHECK(result.evidence.detail.find("another program") != std::string::npos);
}

TEST_CASE("one exec in the middle of a read costs a second look, and what is told is of the second program") {
  test::TracedProgram program(kExecsForever);
  allocator::FingerprintCache cache;
  bool is_first = true;
  const auto result = allocator::identify({program.pid(), program.directory()}, cache, [&] {
    return !std::exchange(is_first, false) || program.run_to_next_exec();
  });
  CHECK(result.outcome == Outcome::early);
  const auto again = allocator::identify({program.pid(), program.directory()}, cache, [] { return true; });
  CHECK(result.image == again.image);
}

TEST_CASE("a process that exits between any two steps of a read is gone, and nothing is claimed of it") {
  int killed = 0;
  for (;;) {
    const ChildProgram child({"/bin/sleep", "100"}, {"LD_PRELOAD=" + kJemalloc});
    identify_settled(child, Kind::jemalloc);
    allocator::FingerprintCache cache;
    int step = 0;
    const auto result = allocator::identify({child.pid(), child.directory()}, cache, [&] {
      if (step++ == killed) child.kill_and_keep();
      return true;
    });
    if (step <= killed) break;  // there was no such step: all have been tried
    INFO("killed at step " << killed << ": " << result.evidence.detail);
    CHECK(result.outcome == Outcome::gone);
    CHECK(result.evidence.active == Kind::unknown);
    CHECK(result.evidence.libraries.empty());
    ++killed;
  }
  CHECK(killed >= 3);
}
