// SPDX-License-Identifier: Apache-2.0
// The walk over this very process: dladdr and dlsym, the linker's own answers, are the reference.
#include "allocator/link_map.hpp"

#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "allocator/resolve.hpp"
#include "allocator/survey.hpp"
#include "host/root.hpp"
#include "kernel/maps.hpp"
#include "support/catch.hpp"
#include "support/flat_memory.hpp"

using namespace allocd;
using allocator::WalkOutcome;

namespace {

const std::function<bool()> kAlways = [] { return true; };

allocator::Survey survey_self() {
  allocator::Survey survey;
  const auto root = host::Root::open();
  REQUIRE(root);
  const auto text = root->read_file("/proc/self/maps");
  REQUIRE(text);
  REQUIRE(kernel::visit_maps_text(*text, [&](const kernel::Mapping& mapping) { survey.add(mapping); }) == 0);
  return survey;
}

std::uint64_t executable_base(const allocator::Survey& survey) {
  // AT_ENTRY of getauxval(3) lies in the executable's text.
  return survey.file_at(::getauxval(AT_ENTRY)).base;
}

}  // namespace

TEST_CASE("link map: the objects dl_iterate_phdr gives, in its order") {
  const auto survey = survey_self();
  allocator::ProcessMemory memory(::getpid(), kAlways);
  const auto walk = allocator::walk_link_map(memory, executable_base(survey), 0);
  CHECK(walk.outcome == WalkOutcome::ok);
  std::vector<std::uint64_t> expected;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* list) {
        static_cast<std::vector<std::uint64_t>*>(list)->push_back(info->dlpi_addr);
        return 0;
      },
      &expected);
  std::vector<std::uint64_t> found;
  for (const auto& object : walk.objects) found.push_back(object.bias);
  CHECK(found == expected);
}

TEST_CASE("link map: a symbol is where dlsym says") {
  const auto survey = survey_self();
  allocator::ProcessMemory memory(::getpid(), kAlways);
  const auto walk = allocator::walk_link_map(memory, executable_base(survey), 0);
  const std::string name =
      GENERATE(as<std::string>{}, "qsort", "getpid", "gnu_get_libc_version", "environ", "_r_debug");
  void* expected = ::dlsym(RTLD_DEFAULT, name.c_str());
  REQUIRE(expected != nullptr);
  std::optional<std::uint64_t> found;
  for (const auto& object : walk.objects) {
    found = allocator::find_definition(memory, object.dynamic, object.bias, name);
    if (found) break;
  }
  REQUIRE(found);
  CHECK(*found == reinterpret_cast<std::uint64_t>(expected));
}

TEST_CASE("link map: what nobody defines is not found") {
  const auto survey = survey_self();
  allocator::ProcessMemory memory(::getpid(), kAlways);
  const auto walk = allocator::walk_link_map(memory, executable_base(survey), 0);
  for (const auto& object : walk.objects) {
    CHECK_FALSE(allocator::find_definition(memory, object.dynamic, object.bias, "allocd_no_such_symbol"));
    CHECK_FALSE(allocator::find_definition(memory, object.dynamic, object.bias, std::string(500, 'x')));
  }
}

TEST_CASE("link map: without DT_DEBUG the linker's exported name serves") {
  const auto survey = survey_self();
  Dl_info info{};
  REQUIRE(::dladdr(::dlsym(RTLD_DEFAULT, "_r_debug"), &info) != 0);
  const auto linker = reinterpret_cast<std::uint64_t>(info.dli_fbase);
  allocator::ProcessMemory memory(::getpid(), kAlways);
  // The linker taken for the program: it has no interpreter, as when it is started by hand.
  const auto walk = allocator::walk_link_map(memory, linker, 0);
  CHECK(walk.outcome == WalkOutcome::ok);
  CHECK(walk.objects.size() > 2);
}

TEST_CASE("link map: memory that cannot be read, or is no program, is told apart") {
  allocator::ProcessMemory memory(::getpid(), kAlways);
  CHECK(allocator::walk_link_map(memory, 0x1000, 0).outcome == WalkOutcome::unreadable);
  std::array<std::byte, 4096> zeroes{};
  test::FlatMemory flat(0x10000, zeroes);
  CHECK(allocator::walk_link_map(flat, 0x10000, 0).outcome == WalkOutcome::unreadable);
  zeroes[0] = std::byte{0x7F};
  zeroes[1] = std::byte{'E'};
  zeroes[2] = std::byte{'L'};
  zeroes[3] = std::byte{'F'};
  zeroes[4] = std::byte{1};  // ELFCLASS32
  CHECK(allocator::walk_link_map(flat, 0x10000, 0).outcome == WalkOutcome::foreign_class);
}

TEST_CASE("link map: a reader that is told to stop stops") {
  const std::function<bool()> never = [] { return false; };
  const auto survey = survey_self();
  allocator::ProcessMemory memory(::getpid(), never);
  CHECK(allocator::walk_link_map(memory, executable_base(survey), 0).outcome == WalkOutcome::unreadable);
  CHECK(memory.last_error() == ETIME);
}

TEST_CASE("resolve: this process's malloc is the one dlsym finds first") {
  const auto survey = survey_self();
  allocator::ProcessMemory memory(::getpid(), kAlways);
  const auto resolution = allocator::resolve_malloc(memory, survey, executable_base(survey), 0);
  REQUIRE_FALSE(resolution.definers.empty());
  CHECK(resolution.definers.front().address ==
        reinterpret_cast<std::uint64_t>(::dlsym(RTLD_DEFAULT, "malloc")));
}
