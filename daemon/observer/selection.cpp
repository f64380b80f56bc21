// SPDX-License-Identifier: Apache-2.0
#include "observer/selection.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "engine/engine.hpp"

namespace allocd::observer {

namespace {

bool runs_known_engine(const host::UnitFacts& unit) {
  return std::ranges::any_of(unit.exec_start, [](const std::vector<std::string>& argv) {
    return engine::decide_engine(argv) != engine::Engine::unknown;
  });
}

bool selects(const settings::Selector& selector, std::string_view unit) {
  return selector.kind == settings::SelectorKind::unit && base::matches_glob(selector.pattern, unit);
}

}  // namespace

bool uses_built_in_discovery(const settings::Settings& settings) {
  return settings.services.empty();
}

host::UnitSelection select_units(const settings::Settings& settings) {
  host::UnitSelection selection;
  if (uses_built_in_discovery(settings)) {
    selection.accepts = &runs_known_engine;
    return selection;
  }
  for (const auto& service : settings.services) {
    for (const auto& selector : service.selectors) {
      if (selector.kind != settings::SelectorKind::unit) continue;
      const bool glob = base::has_glob_characters(selector.pattern);
      (glob ? selection.patterns : selection.names).push_back(selector.pattern);
    }
  }
  return selection;
}

const settings::Service* find_service(const settings::Settings& settings, std::string_view unit) {
  const auto found = std::ranges::find_if(settings.services, [&](const settings::Service& service) {
    return std::ranges::any_of(service.selectors,
                               [&](const auto& selector) { return selects(selector, unit); });
  });
  return found == settings.services.end() ? nullptr : &*found;
}

std::vector<CgroupSelector> cgroup_selectors(const settings::Settings& settings) {
  std::vector<CgroupSelector> found;
  for (const auto& service : settings.services) {
    for (const auto& selector : service.selectors) {
      if (selector.kind == settings::SelectorKind::cgroup) found.push_back({&service, selector.pattern});
    }
  }
  return found;
}

}  // namespace allocd::observer
