// SPDX-License-Identifier: Apache-2.0
#include "unitfile/machine.hpp"

#include <sys/utsname.h>

#include <string>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"
#include "unitfile/read.hpp"

using namespace allocd;
using namespace allocd::unitfile;

namespace {

host::Root open_root(const test::TemporaryDirectory& tree) {
  auto opened = host::Root::open(tree.path());
  REQUIRE(opened.has_value());
  return std::move(*opened);
}

}  // namespace

TEST_CASE("systemd's version is the number it begins with") {
  CHECK(parse_systemd_version("252.39-1~deb12u1") == 252);
  CHECK(parse_systemd_version("v257.1") == 257);
  CHECK(parse_systemd_version("250") == 250);
  CHECK(parse_systemd_version("") == 0);
  CHECK(parse_systemd_version("unknown") == 0);
  CHECK(parse_systemd_version("99999999999999999999") == 0);
}

TEST_CASE("specifiers of the machine are read from its files, and what is not there is not known") {
  const test::TemporaryDirectory tree;
  const auto root = open_root(tree);
  CHECK_FALSE(read_machine(root, {}, "").specifiers.contains('m'));
  CHECK_FALSE(read_machine(root, {}, "").specifiers.contains('o'));
  tree.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
  tree.write("proc/sys/kernel/random/boot_id", "01234567-89ab-cdef-0123-456789abcdef\n");
  tree.write("usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
  tree.write("etc/machine-info", "PRETTY_HOSTNAME=\"My node\"\n");
  const auto machine = read_machine(root, {}, "252.1");
  utsname names{};
  REQUIRE(::uname(&names) == 0);
  CHECK(machine.systemd_version == 252);
  CHECK(machine.specifiers.at('m') == "0123456789abcdef0123456789abcdef");
  CHECK(machine.specifiers.at('b') == "0123456789abcdef0123456789abcdef");
  CHECK(machine.specifiers.at('o') == "debian");
  CHECK(machine.specifiers.at('w') == "12");
  CHECK(machine.specifiers.at('W').empty());
  CHECK(machine.specifiers.at('q') == "My node");
  CHECK(machine.specifiers.at('H') == static_cast<const char*>(names.nodename));
  CHECK(machine.specifiers.at('v') == static_cast<const char*>(names.release));
}

TEST_CASE("the file that sets a DefaultEnvironment= is found, and a unit's files use the machine") {
  const test::TemporaryDirectory tree;
  const auto root = open_root(tree);
  tree.write("etc/machine-id", "abc\n");
  tree.write("etc/systemd/system.conf", "[Manager]\n\nDefaultEnvironment=A=1 \"B=two words\"\n");
  tree.write("usr/lib/systemd/system.conf.d/50-x.conf", "[Manager]\nDefaultEnvironment=C=3\n");
  tree.write("etc/systemd/system.conf.d/50-x.conf", "[Manager]\nDefaultEnvironment=LD_PRELOAD=/a.so\n");
  const auto machine = read_machine(root, {"A=1", "LD_PRELOAD=/a.so", "SET=later"}, "252");
  CHECK(machine.manager_places.at("A=1") == Place{"/etc/systemd/system.conf", 3});
  CHECK(machine.manager_places.at("B=two words") == Place{"/etc/systemd/system.conf", 3});
  CHECK_FALSE(machine.manager_places.contains("C=3"));
  tree.write("u/a.service", "[Service]\nEnvironmentFile=/e/%m.env\n");
  tree.write("e/abc.env", "D=4\n");
  const auto environment = compute_environment(read_sources(root, "a.service", "/u/a.service", {}, machine));
  CHECK(environment.variables.at("D").value == "4");
  const auto& preload = environment.variables.at("LD_PRELOAD").contributions.front();
  CHECK(preload.origin == Origin::manager);
  CHECK(preload.path == "/etc/systemd/system.conf.d/50-x.conf");
  CHECK(preload.line == 2);
  CHECK(environment.variables.at("SET").contributions.front().path.empty());
}
