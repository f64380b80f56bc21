// SPDX-License-Identifier: Apache-2.0
#include "ctl/find_unit.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using allocd::ctl::find_unit;

namespace {

allocd::snapshot::Snapshot with_units(const std::vector<std::pair<std::string, std::string>>& names) {
  allocd::snapshot::Snapshot sample;
  for (const auto& [name, service] : names) {
    sample.units.emplace_back().name = name;
    sample.units.back().service = service;
  }
  return sample;
}

const auto kNode = with_units({{"/machine.slice/libpod-3f1c9a.scope", "containers"},
                               {"sglang.service", "sgl"},
                               {"vllm@a.service", "fleet"},
                               {"vllm@b.service", "fleet"},
                               {"vllm.service", "vllm"},
                               {"/user.slice/vllm.scope", "shadow"}});

std::string found(std::string_view word) {
  const auto unit = find_unit(kNode, word);
  return unit ? (*unit)->name : "error: " + unit.error();
}

}  // namespace

TEST_CASE("a unit is found by its name, in full or for short, by its cgroup's name, by its service") {
  CHECK(found("vllm.service") == "vllm.service");
  CHECK(found("vllm") == "vllm.service");  // and not the scope of that name
  CHECK(found("vllm@a") == "vllm@a.service");
  CHECK(found("libpod-3f1c9a") == "/machine.slice/libpod-3f1c9a.scope");
  CHECK(found("/user.slice/vllm.scope") == "/user.slice/vllm.scope");
  CHECK(found("sgl") == "sglang.service");
}

TEST_CASE("what could be several units is an error that lists them") {
  CHECK(found("fleet") == "error: 'fleet' is 2 units: vllm@a.service, vllm@b.service");
  const auto twins = with_units({{"/a/job.scope", ""}, {"/b/job.scope", ""}});
  const auto unit = find_unit(twins, "job");
  REQUIRE(!unit);
  CHECK(unit.error() == "'job' is 2 units: /a/job.scope, /b/job.scope");
}

TEST_CASE("an unknown unit is answered with the nearest name, or with those there are") {
  CHECK(found("vlmm") == "error: no unit 'vlmm' in the snapshot; did you mean 'vllm'?");
  CHECK(found("sglang.servcie") ==
        "error: no unit 'sglang.servcie' in the snapshot; did you mean 'sglang.service'?");
  CHECK(found("postgresql")
            .starts_with("error: no unit 'postgresql' in the snapshot; allocd observes /machine"));
  CHECK(found("") == "error: the name of a unit is empty");
  const auto none = find_unit({}, "vllm");
  REQUIRE(!none);
  CHECK(none.error() == "no unit 'vllm' in the snapshot: allocd observes no unit");
}

TEST_CASE("a long list of names is cut short") {
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 200; ++i) many.emplace_back("unit-with-number-" + std::to_string(i) + ".service", "");
  const auto unit = find_unit(with_units(many), "x");
  REQUIRE(!unit);
  CHECK(unit.error().ends_with("and 190 more"));
}
