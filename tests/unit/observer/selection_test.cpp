// SPDX-License-Identifier: Apache-2.0
#include "observer/selection.hpp"

#include <string>
#include <vector>

#include "host/unit_manager.hpp"
#include "policy/selection.hpp"
#include "support/catch.hpp"

using namespace allocd;

TEST_CASE("selection: nothing configured looks for engines, something configured for just that") {
  settings::Settings none;
  CHECK(policy::uses_built_in_discovery(none));
  const auto looking = policy::select_units(none);
  REQUIRE(looking.accepts);
  host::UnitFacts facts;
  facts.exec_start = {{"/opt/vllm/bin/vllm", "serve", "m"}};
  CHECK(looking.accepts(facts));
  facts.exec_start = {{"/usr/sbin/sshd", "-D"}};
  CHECK_FALSE(looking.accepts(facts));

  settings::Settings some;
  settings::Service service;
  service.name = "vllm";
  service.selectors = {{settings::SelectorKind::unit, "vllm@*.service", {}},
                       {settings::SelectorKind::unit, "router.service", {}},
                       {settings::SelectorKind::cgroup, "/machine.slice/*", {}}};
  some.services.push_back(service);
  const auto selection = policy::select_units(some);
  CHECK(selection.names == std::vector<std::string>{"router.service"});
  CHECK(selection.patterns == std::vector<std::string>{"vllm@*.service"});
  CHECK_FALSE(selection.accepts);
  REQUIRE(policy::find_service(some, "vllm@a.service") != nullptr);
  CHECK(policy::find_service(some, "vllm.service") == nullptr);
  CHECK(observer::cgroup_selectors(some).size() == 1);
}
