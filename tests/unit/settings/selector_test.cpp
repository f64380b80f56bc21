// SPDX-License-Identifier: Apache-2.0
#include "settings/selector.hpp"

#include "support/catch.hpp"

using allocd::settings::parse_cgroup_pattern;
using allocd::settings::parse_unit_pattern;
using allocd::settings::ValueError;

namespace {

ValueError unit_error(std::string_view text) {
  const auto pattern = parse_unit_pattern(text);
  return pattern ? ValueError{"accepted as " + *pattern, ""} : pattern.error();
}

ValueError cgroup_error(std::string_view text) {
  const auto pattern = parse_cgroup_pattern(text);
  return pattern ? ValueError{"accepted as " + *pattern, ""} : pattern.error();
}

}  // namespace

TEST_CASE("unit patterns come out with their suffix") {
  CHECK(parse_unit_pattern("vllm") == "vllm.service");
  CHECK(parse_unit_pattern("vllm.service") == "vllm.service");
  CHECK(parse_unit_pattern("vllm@llama") == "vllm@llama.service");
  CHECK(parse_unit_pattern("vllm@*") == "vllm@*.service");
  CHECK(parse_unit_pattern("vllm-3.1") == "vllm-3.1.service");
  CHECK(parse_unit_pattern("*") == "*.service");
  CHECK(parse_unit_pattern("vllm@[ab]?.service") == "vllm@[ab]?.service");
  CHECK(parse_unit_pattern("vllm@[!a-c]") == "vllm@[!a-c].service");
  CHECK(parse_unit_pattern("vllm@[]].service") == "vllm@[]].service");
  CHECK(parse_unit_pattern("data-vllm\\x2d1.service") == "data-vllm\\x2d1.service");
}

TEST_CASE("a template selects nothing, its instances do") {
  CHECK(unit_error("vllm@.service") ==
        ValueError{"a template runs no processes, its instances do", "write vllm@*.service"});
  CHECK(unit_error("vllm@").hint == "write vllm@*.service");
  CHECK(unit_error("v*@.service").hint == "write v*@*.service");
}

TEST_CASE("units that are not services") {
  CHECK(unit_error("a.scope") ==
        ValueError{"a .scope unit is not selected by its name",
                   "select its control group, such as cgroup: /system.slice/a.scope"});
  CHECK(unit_error("user.slice").message == "a .slice unit is not selected by its name");
  CHECK(unit_error("ollama.socket") == ValueError{"a .socket unit runs no processes of its own",
                                                  "select the service it starts: ollama.service"});
  CHECK(unit_error("nightly.timer").hint == "select the service it starts: nightly.service");
}

TEST_CASE("what cannot be a unit name") {
  CHECK(unit_error("").message == "the selector is empty");
  CHECK(unit_error(".service").message == "the unit has no name");
  CHECK(unit_error("@a.service").message == "the unit has no name");
  CHECK(unit_error("v llm").message == "a unit name holds no ' '");
  CHECK(unit_error("vllm{a,b}") ==
        ValueError{"a unit name holds no '{'", "write one selector for each unit"});
  CHECK(unit_error("modèle").message == "a unit name holds no 'è'");
  CHECK(unit_error("vllm\n").message == "the name has a control character");
  CHECK(unit_error("a[\x01]").message == "the name has a control character");
  CHECK(unit_error("vllm@[a").message == "its '[' is not closed");
  CHECK(unit_error("vllm@[]").message == "its '[' is not closed");
  CHECK(unit_error("vllm@a]").message == "a unit name holds no ']'");
  CHECK(unit_error("/etc/systemd/system/vllm.service") ==
        ValueError{"a unit name holds no '/'", "write unit: vllm.service"});
  CHECK(unit_error("/machine.slice/x.scope").hint ==
        "a control group is selected by cgroup: /machine.slice/x.scope");
}

TEST_CASE("a unit name has systemd's length") {
  CHECK(parse_unit_pattern(std::string(247, 'a')).value().size() == 255);
  CHECK(unit_error(std::string(248, 'a')).message == "a unit name is at most 255 bytes long");
}

TEST_CASE("cgroup patterns stay as they are") {
  for (const auto* text :
       {"/machine.slice/libpod-*.scope", "/a", "/*", "/system.slice/a b", "/a/[!b]*",
        "/system.slice/system-vllm.slice/vllm@..a.service", "/kubepods.slice/*/crio-*.scope"}) {
    CHECK(parse_cgroup_pattern(text) == text);
  }
}

TEST_CASE("what cannot be a cgroup path") {
  CHECK(cgroup_error("").message == "the selector is empty");
  CHECK(cgroup_error("/").message == "the root selects the whole machine");
  CHECK(cgroup_error("machine.slice").message == "the path does not begin with '/'");
  CHECK(cgroup_error("vllm.service").hint == "a service is selected by unit: vllm.service");
  CHECK(cgroup_error("/a/../b").message == "the path has a part '..'");
  CHECK(cgroup_error("/a/./b").message == "the path has a part '.'");
  CHECK(cgroup_error("/..").message == "the path has a part '..'");
  CHECK(cgroup_error("/a//b").message == "the path has an empty part");
  CHECK(cgroup_error("/a/").message == "the path has an empty part");
  CHECK(cgroup_error("/a[b").message == "its '[' is not closed");
  CHECK(cgroup_error("/a\x1b[m").message == "the path has a control character");
  CHECK(cgroup_error("/" + std::string(4095, 'a')).message == "a path is at most 4095 bytes long");
  CHECK(cgroup_error("/sys/fs/cgroup/a").message ==
        "the path begins below the cgroup mount, not at the root of the file system");
}
