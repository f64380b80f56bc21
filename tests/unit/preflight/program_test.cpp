// SPDX-License-Identifier: Apache-2.0
// Programs of this machine and of compilers, in a tree of our own.
#include "preflight/program.hpp"

#include <elf.h>
#include <sys/xattr.h>

#include <cstddef>
#include <cstring>

#include "tree.hpp"

using namespace allocd;
using preflight::kProgramKindNames;
using preflight::ProgramFacts;
using preflight::read_program;
using test::Tree;

namespace {

std::string kind_of(const ProgramFacts& facts) {
  return std::string(kProgramKindNames.name(facts.kind));
}
std::string kind_of(const Tree& tree, const std::string& path) {
  return kind_of(read_program(tree.root(), path));
}

std::string built(const std::string& name) {
  return std::string(ALLOCD_FAULTY_LIBRARIES) + "/" + name;
}

}  // namespace

TEST_CASE("what a preload would do is read from the program's file") {
  const Tree tree;
  tree.copy("/bin/true", "/bin/dynamic");
  tree.copy(built("static_program"), "/bin/static");
  tree.copy(built("static_pie_program"), "/bin/static_pie");
  tree.copy(built("musl_program"), "/bin/musl");
  tree.copy(test::kLibraries + test::kDynamicLinker, "/lib/" + test::kDynamicLinker);
  tree.write("/bin/text", "echo no shebang\n", 0755);
  tree.write("/bin/empty", "", 0755);
  auto bytes = test::read_bytes("/bin/true");
  const std::uint16_t machine = EM_S390;
  std::memcpy(bytes.data() + offsetof(Elf64_Ehdr, e_machine), &machine, sizeof machine);
  tree.write("/bin/foreign", bytes, 0755);
  bytes[EI_CLASS] = ELFCLASS32;
  tree.write("/bin/narrow", bytes, 0755);
  CHECK(kind_of(tree, "/bin/dynamic") == "dynamic_glibc");
  CHECK(kind_of(tree, "/bin/static") == "static_elf");
  CHECK(kind_of(tree, "/bin/static_pie") == "static_elf");
  CHECK(kind_of(tree, "/bin/musl") == "dynamic_musl");
  CHECK(kind_of(tree, "/lib/" + test::kDynamicLinker) == "dynamic_glibc");
  CHECK(kind_of(tree, "/bin/foreign") == "foreign_elf");
  CHECK(kind_of(tree, "/bin/narrow") == "foreign_elf");
  CHECK(kind_of(tree, "/bin/text") == "not_a_program");
  CHECK(kind_of(tree, "/bin/empty") == "not_a_program");
  CHECK(kind_of(tree, "/bin") == "not_a_program");
  CHECK(kind_of(tree, "/bin/absent") == "absent");
}

TEST_CASE("a FIFO as a program is not waited for") {
  const Tree tree;
  REQUIRE(::mkfifo(tree.real("/fifo").c_str(), 0755) == 0);
  CHECK(kind_of(tree, "/fifo") == "not_a_program");
}

TEST_CASE("a script is followed to what runs it") {
  const Tree tree;
  tree.copy("/bin/true", "/opt/venv/bin/python3.11");
  tree.link("python3.11", "/opt/venv/bin/python");
  tree.copy(built("musl_program"), "/usr/bin/interpreter");
  tree.copy("/bin/true", "/usr/bin/env");
  tree.write("/bin/serve", "#! /opt/venv/bin/python -u\nimport x\n", 0755);
  tree.write("/bin/by-env", "#!/usr/bin/env interpreter\n", 0755);
  tree.write("/bin/by-env-split", "#!/usr/bin/env -S A=b interpreter -u -x\n", 0755);
  tree.write("/bin/by-env-unknown", "#!/usr/bin/env nowhere\n", 0755);
  tree.write("/bin/by-script", "#!/bin/serve\n", 0755);

  auto facts = read_program(tree.root(), "/bin/serve");
  CHECK(kind_of(facts) == "dynamic_glibc");
  CHECK(facts.program == "/opt/venv/bin/python3.11");
  CHECK(facts.scripts == std::vector<std::string>{"/bin/serve"});
  facts = read_program(tree.root(), "/bin/by-script");
  CHECK(facts.scripts == std::vector<std::string>{"/bin/by-script", "/bin/serve"});
  CHECK(kind_of(tree, "/bin/by-env") == "dynamic_musl");
  CHECK(kind_of(tree, "/bin/by-env-split") == "dynamic_musl");
  CHECK(read_program(tree.root(), "/bin/by-env-unknown").program == "/usr/bin/env");
  CHECK(read_program(tree.root(), "/bin/by-env", "", "/nowhere:/opt/venv/bin").program == "/usr/bin/env");
}

TEST_CASE("scripts without end, without an interpreter or with a strange one are no programs") {
  const Tree tree;
  tree.write("/loop", "#!/loop\n", 0755);
  tree.write("/relative", "#!python\n", 0755);
  tree.write("/bare", "#!\n", 0755);
  tree.write("/gone", "#!/not/there\n", 0755);
  tree.write("/long", "#!/" + std::string(5000, 'x') + "\n", 0755);
  tree.write("/bytes", std::string("#!/a\0b\n", 7), 0755);
  CHECK(kind_of(tree, "/loop") == "not_a_program");
  CHECK(kind_of(tree, "/relative") == "not_a_program");
  CHECK(kind_of(tree, "/bare") == "not_a_program");
  CHECK(kind_of(tree, "/gone") == "absent");
  CHECK(kind_of(tree, "/bytes") == "absent");
  CHECK(read_program(tree.root(), "/long").kind != preflight::ProgramKind::dynamic_glibc);
}

TEST_CASE("a program is looked up inside the service's own root") {
  const Tree tree;
  tree.copy("/bin/true", "/bin/serve");
  tree.copy(built("musl_program"), "/srv/image/bin/real");
  tree.link("/bin/real", "/srv/image/bin/serve");
  CHECK(kind_of(tree, "/bin/serve") == "dynamic_glibc");
  const auto facts = read_program(tree.root(), "/bin/serve", "/srv/image");
  CHECK(kind_of(facts) == "dynamic_musl");
  CHECK(facts.program == "/bin/real");
  CHECK(kind_of(read_program(tree.root(), "/bin/serve", "/srv/none")) == "absent");
}

TEST_CASE("privileges that make the dynamic linker drop a preload are seen") {
  const Tree tree;
  tree.copy("/bin/true", "/plain");
  tree.copy("/bin/true", "/setuid", 04755);
  tree.copy("/bin/true", "/setgid", 02755);
  tree.copy("/bin/true", "/setgid-lock", 02744);  // mandatory locking, no privilege
  tree.write("/script", "#!/plain\n", 04755);     // the kernel ignores it on a script
  CHECK_FALSE(read_program(tree.root(), "/plain").is_setuid_or_file_capabilities());
  CHECK(read_program(tree.root(), "/setuid").is_setuid);
  CHECK(read_program(tree.root(), "/setgid").is_setuid);
  CHECK_FALSE(read_program(tree.root(), "/setgid-lock").is_setuid);
  CHECK_FALSE(read_program(tree.root(), "/script").is_setuid_or_file_capabilities());
}

TEST_CASE("file capabilities are seen") {
  if (::geteuid() != 0) return;  // only root may set them
  const Tree tree;
  tree.copy("/bin/true", "/capable");
  // struct vfs_cap_data: revision 2 with the effective bit, CAP_NET_BIND_SERVICE permitted.
  const std::uint32_t capability[5] = {0x02000001, 1U << 10U, 0, 0, 0};
  REQUIRE(::setxattr(tree.real("/capable").c_str(), "security.capability", &capability[0], sizeof capability,
                     0) == 0);
  const auto facts = read_program(tree.root(), "/capable");
  CHECK(facts.has_file_capabilities);
  CHECK_FALSE(facts.is_setuid);
}
