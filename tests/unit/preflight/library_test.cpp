// SPDX-License-Identifier: Apache-2.0
#include "preflight/library.hpp"

#include <elf.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "tree.hpp"

using namespace allocd;
using preflight::find_library;
using preflight::kReasonNames;
using preflight::Reason;
using settings::Wanted;
using test::needs_of_tests;
using test::Tree;

namespace {

const std::string kJemalloc = test::kLibraries + "libjemalloc.so.2";

std::string faulty(const std::string& name) {
  return std::string(ALLOCD_FAULTY_LIBRARIES) + "/lib" + name + ".so";
}

std::string reason_of(const Tree& tree, const std::string& path, Wanted wanted = Wanted::jemalloc) {
  const auto found = find_library(tree.root(), wanted, path, "", needs_of_tests());
  if (found) return "ok";
  INFO(found.error().sentence);
  CHECK_FALSE(found.error().sentence.empty());
  CHECK(std::ranges::all_of(found.error().sentence,
                            [](char c) { return static_cast<unsigned char>(c) >= 0x20; }));
  return std::string(kReasonNames.name(found.error().reason));
}

template <typename T>
std::string patched(std::string bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  return bytes;
}

}  // namespace

TEST_CASE("auto finds this machine's own libraries, and writes the path that survives an upgrade") {
  const auto root = host::Root::open("/");
  const auto [wanted, name, kind] = GENERATE(table<Wanted, std::string, allocator::Kind>(
      {{Wanted::jemalloc, "libjemalloc.so.2", allocator::Kind::jemalloc},
       {Wanted::tcmalloc, "libtcmalloc_minimal.so.4", allocator::Kind::tcmalloc},
       {Wanted::mimalloc, "libmimalloc.so.2", allocator::Kind::mimalloc}}));
  const auto found = find_library(*root, wanted, std::nullopt);
  INFO((found ? "" : found.error().sentence));
  REQUIRE(found.has_value());
  CHECK(found->path == test::kLibraries + name);
  CHECK(found->kind == kind);
  CHECK(found->identity.build_id.size() == 40);
  CHECK(found->identity.size > 1000);
  struct stat status{};
  REQUIRE(::stat(found->path.c_str(), &status) == 0);
  CHECK(found->identity.inode == status.st_ino);
  CHECK(found->identity.device == status.st_dev);
}

TEST_CASE("auto looks where each distribution keeps its libraries") {
  const Tree tree;
  const std::string directory = GENERATE("/usr/lib64", "/usr/lib", "/usr/local/lib", "/usr/local/lib64");
  tree.copy(kJemalloc, directory + "/libjemalloc.so.2");
  const auto found = find_library(tree.root(), Wanted::jemalloc, std::nullopt, "", needs_of_tests());
  REQUIRE(found.has_value());
  CHECK(found->path == directory + "/libjemalloc.so.2");
}

TEST_CASE("where there is no library the sentence says what to install") {
  const Tree tree;
  const auto found = find_library(tree.root(), Wanted::tcmalloc, std::nullopt, "", needs_of_tests());
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().reason == Reason::library_not_found);
  CHECK(found.error().sentence.find("libtcmalloc-minimal4") != std::string::npos);
}

TEST_CASE("a library is looked for inside the service's own root") {
  const Tree tree;
  tree.copy(kJemalloc, "/usr/lib/libjemalloc.so.2");
  tree.directory("/srv/empty");
  tree.copy(kJemalloc, "/srv/full/opt/libjemalloc.so.2.real");
  tree.link("/opt/libjemalloc.so.2.real", "/srv/full/usr/lib/libjemalloc.so.2");
  const auto none = find_library(tree.root(), Wanted::jemalloc, "/usr/lib/libjemalloc.so.2", "/srv/empty",
                                 needs_of_tests());
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().reason == Reason::library_not_found);
  CHECK(none.error().sentence == "/usr/lib/libjemalloc.so.2 does not exist inside /srv/empty");
  const auto found = find_library(tree.root(), Wanted::jemalloc, std::nullopt, "/srv/full", needs_of_tests());
  REQUIRE(found.has_value());
  CHECK(found->path == "/usr/lib/libjemalloc.so.2");
  CHECK(found->resolved == "/opt/libjemalloc.so.2.real");
}

TEST_CASE("a path that LD_PRELOAD cannot carry is refused before it is looked at") {
  const Tree tree;
  for (const char* path :
       {"libjemalloc.so.2", "", "/a b.so", "/a:b.so", "/a\tb.so", "/a\nb.so", "/a\x7f.so"}) {
    CHECK(reason_of(tree, path) == "bad_path");
  }
  CHECK(preflight::decide_preload_path("/opt/ünïcode/$x%y/lib\"q\".so").reason == Reason::ok);
}

TEST_CASE("a library that others could have written is refused, with the first offender") {
  const Tree tree;
  tree.copy(kJemalloc, "/opt/lib/x.so");
  REQUIRE(reason_of(tree, "/opt/lib/x.so") == "ok");
  const auto refuses = [&tree](const std::string& offender) {
    const auto found = find_library(tree.root(), Wanted::jemalloc, "/opt/lib/x.so", "", needs_of_tests());
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().reason == Reason::writable_by_others);
    INFO(found.error().sentence);
    CHECK(found.error().sentence.starts_with(offender + " "));
  };
  SECTION("the file by everybody") {
    tree.chmod("/opt/lib/x.so", 0757);
    refuses("/opt/lib/x.so");
  }
  SECTION("the file by its group") {
    tree.chmod("/opt/lib/x.so", 0775);
    refuses("/opt/lib/x.so");
  }
  SECTION("a directory above it, sticky or not") {
    tree.chmod("/opt", GENERATE(0777U, 01777U, 0775U, 02775U));
    refuses("/opt");
  }
  SECTION("the root itself") {
    tree.chmod("", 0777);
    refuses("/");
  }
  if (::geteuid() == 0) {
    SECTION("a file of another owner") {
      REQUIRE(::chown(tree.real("/opt/lib/x.so").c_str(), 1234, 0) == 0);
      refuses("/opt/lib/x.so");
    }
    SECTION("a directory of another owner") {
      REQUIRE(::chown(tree.real("/opt/lib").c_str(), 1234, 0) == 0);
      refuses("/opt/lib");
    }
  }
}

TEST_CASE("a link of another owner, or through another's directory, is refused") {
  const Tree tree;
  tree.copy(kJemalloc, "/usr/lib/x.so");
  tree.directory("/open");
  tree.link("/usr/lib/x.so", "/open/x.so");
  tree.link("open/x.so", "/y.so");
  CHECK(reason_of(tree, "/y.so") == "ok");
  tree.chmod("/open", 0777);
  CHECK(reason_of(tree, "/y.so") == "writable_by_others");
  tree.chmod("/open", 0755);
  if (::geteuid() == 0) {
    REQUIRE(::lchown(tree.real("/open/x.so").c_str(), 1234, 0) == 0);
    CHECK(reason_of(tree, "/y.so") == "writable_by_others");
  }
}

TEST_CASE("what is not a library for this host is refused with its reason") {
  const Tree tree;
  const auto bytes = test::read_bytes(kJemalloc);
  tree.directory("/directory.so");
  tree.write("/text.so", "/* GNU ld script */\n");
  tree.write("/cut.so", bytes.substr(0, bytes.size() / 2));
  tree.write("/narrow.so", patched<char>(bytes, EI_CLASS, ELFCLASS32));
  tree.write("/foreign.so", patched<std::uint16_t>(bytes, offsetof(Elf64_Ehdr, e_machine), EM_S390));
  tree.write("/relocatable.so", patched<std::uint16_t>(bytes, offsetof(Elf64_Ehdr, e_type), ET_REL));
  REQUIRE(::mkfifo(tree.real("/fifo.so").c_str(), 0644) == 0);
  tree.copy("/bin/true", "/program.so");
  tree.copy(faulty("no_malloc"), "/no_malloc.so");
  tree.copy(faulty("musl"), "/musl.so");
  tree.copy(kJemalloc, "/jemalloc.so");
  CHECK(reason_of(tree, "/absent.so") == "library_not_found");
  CHECK(reason_of(tree, "/directory.so") == "bad_path");
  CHECK(reason_of(tree, "/fifo.so") == "bad_path");
  CHECK(reason_of(tree, "/text.so") == "not_elf");
  CHECK(reason_of(tree, "/cut.so") == "damaged");
  CHECK(reason_of(tree, "/narrow.so") == "wrong_class");
  CHECK(reason_of(tree, "/foreign.so") == "wrong_machine");
  CHECK(reason_of(tree, "/relocatable.so") == "not_shared_object");
  CHECK(reason_of(tree, "/program.so") == "not_shared_object");
  CHECK(reason_of(tree, "/no_malloc.so") == "no_malloc");
  CHECK(reason_of(tree, "/musl.so") == "musl_library");
  CHECK(reason_of(tree, "/jemalloc.so", Wanted::mimalloc) == "wrong_allocator");
  CHECK(reason_of(tree, "/jemalloc.so") == "ok");
}

TEST_CASE("a library laid out for smaller pages than the kernel's is refused") {
  const Tree tree;
  tree.copy(kJemalloc, "/x.so");
  auto needs = needs_of_tests();
  needs.page_size = std::uint64_t{1} << 21U;
  const auto found = find_library(tree.root(), Wanted::jemalloc, "/x.so", "", needs);
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().reason == Reason::wrong_page_size);
}

TEST_CASE("the preload list is what the dynamic linker splits again") {
  const std::vector<std::string> paths{"/a.so", "libtcmalloc.so.4"};
  CHECK(preflight::render_preload(paths) == "/a.so:libtcmalloc.so.4");
  CHECK(preflight::render_preload({}).empty());
}
