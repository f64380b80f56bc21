// SPDX-License-Identifier: Apache-2.0
#include "policy/selection.hpp"

#include <initializer_list>

#include "support/catch.hpp"

using namespace allocd;
using policy::covers_template;
using policy::find_service;

namespace {

settings::Service service_of(std::initializer_list<const char*> patterns) {
  settings::Service service;
  for (const auto* pattern : patterns)
    service.selectors.push_back({settings::SelectorKind::unit, pattern, {}});
  return service;
}

// Whether the first service of these covers vllm@.service.
bool covers(std::initializer_list<settings::Service> services, const char* unit = "vllm@a.service") {
  settings::Settings settings;
  settings.services = services;
  return covers_template(settings, settings.services.front(), unit);
}

}  // namespace

TEST_CASE("selection: a service covers a template when it takes all of it, and nobody else takes any") {
  const auto all = service_of({"vllm@*.service"});
  CHECK(covers({all}));
  CHECK(covers({all, service_of({"sglang@*.service", "vllm.service", "xvllm@a.service"})}));
  CHECK(covers({service_of({"vllm@a.service", "vllm@*.service"})}));
  CHECK_FALSE(covers({service_of({"vllm@a.service"})}));
  CHECK_FALSE(covers({service_of({"vllm@?.service"})}));
  CHECK_FALSE(covers({service_of({"vllm@a*.service"})}));
}

TEST_CASE("selection: another service that might select an instance keeps the template from being covered") {
  const auto* const pattern =
      GENERATE("vllm@b.service", "vllm@b*.service", "vllm@*.service", "vllm*.service", "v*", "*.service", "*",
               "?llm@x.service", "[uv]llm@x.service", "vllm@[bc].service", "vll[m]@b.service");
  INFO(pattern);
  CHECK_FALSE(covers({service_of({"vllm@*.service"}), service_of({pattern})}));
}

TEST_CASE("selection: patterns of other names, and of control groups, are in nobody's way") {
  CHECK(covers({service_of({"vllm@*.service"}), service_of({"vllm-*.service", "w*", "vllm2@*.service"})}));
  auto groups = service_of({});
  groups.selectors.push_back({settings::SelectorKind::cgroup, "*", {}});
  CHECK(covers({service_of({"vllm@*.service"}), groups}));
  auto group_alone = service_of({});
  group_alone.selectors.push_back({settings::SelectorKind::cgroup, "vllm@*.service", {}});
  CHECK_FALSE(covers({group_alone}));
}

TEST_CASE("selection: a unit that is no instance has no template to cover") {
  for (const auto* unit : {"vllm.service", "vllm@.service", "", "@", "@.service", "vllm@a"})
    CHECK_FALSE(covers({service_of({"*", "vllm@*.service", "@*.service"})}, unit));
}

TEST_CASE("selection: of services that both select a unit the first has it") {
  settings::Settings settings;
  settings.services = {service_of({"vllm@b.service"}), service_of({"vllm@*.service"}), service_of({"*"})};
  CHECK(find_service(settings, "vllm@b.service") == &settings.services[0]);
  CHECK(find_service(settings, "vllm@a.service") == &settings.services[1]);
  CHECK(find_service(settings, "odd\\x2dname.service") == &settings.services[2]);
  settings.services.pop_back();
  CHECK(find_service(settings, "vllm.service") == nullptr);
}

TEST_CASE("selection: names are asked for by name, patterns by pattern") {
  settings::Settings settings;
  CHECK(policy::uses_built_in_discovery(settings));
  CHECK(policy::select_units(settings).accepts);
  settings.services = {service_of({"a.service", "b@*.service"}), service_of({"odd\\x2dname.service"})};
  settings.services[0].selectors.push_back({settings::SelectorKind::cgroup, "/x.slice/*", {}});
  const auto selection = policy::select_units(settings);
  CHECK(selection.names == std::vector<std::string>{"a.service", "odd\\x2dname.service"});
  CHECK(selection.patterns == std::vector<std::string>{"b@*.service"});
  CHECK_FALSE(selection.accepts);
}
