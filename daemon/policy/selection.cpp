// SPDX-License-Identifier: Apache-2.0
#include "policy/selection.hpp"

#include <algorithm>
#include <string>

#include "base/text.hpp"
#include "engine/engine.hpp"
#include "host/drop_in.hpp"

namespace allocd::policy {

namespace {

bool runs_known_engine(const host::UnitFacts& unit) {
  return std::ranges::any_of(unit.exec_start, [](const std::vector<std::string>& argv) {
    return engine::decide_engine(argv) != engine::Engine::unknown;
  });
}

bool selects(const settings::Selector& selector, std::string_view unit) {
  return selector.kind == settings::SelectorKind::unit && base::matches_glob(selector.pattern, unit);
}

bool any_selector(const settings::Service& service, auto&& predicate) {
  return std::ranges::any_of(service.selectors, [&](const settings::Selector& selector) {
    return selector.kind == settings::SelectorKind::unit && predicate(selector);
  });
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

bool covers_template(const settings::Settings& settings, const settings::Service& service,
                     std::string_view unit) {
  const auto whole = host::template_of(unit);
  if (!whole) return false;
  std::string every = *whole;
  every.insert(every.find('@') + 1, "*");
  const auto takes_all = [&](const settings::Selector& selector) { return selector.pattern == every; };
  // A glob of another service that could match an instance nobody has started yet counts too: by its stem.
  const std::string stem = whole->substr(0, whole->find('@') + 1);
  const auto touches = [&](const settings::Selector& selector) {
    const std::string_view pattern = selector.pattern;
    const auto fixed = pattern.substr(0, std::min(pattern.find_first_of("*?["), pattern.size()));
    return fixed.size() < pattern.size()
               ? fixed.starts_with(stem) || std::string_view(stem).starts_with(fixed)
               : pattern.starts_with(stem);
  };
  return any_selector(service, takes_all) &&
         std::ranges::none_of(settings.services, [&](const settings::Service& other) {
           return &other != &service && any_selector(other, touches);
         });
}

}  // namespace allocd::policy
