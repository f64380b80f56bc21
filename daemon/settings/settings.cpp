// SPDX-License-Identifier: Apache-2.0
#include "settings/settings.hpp"

#include <algorithm>

namespace allocd::settings {

bool selects_units(const Service& service) {
  return std::ranges::any_of(service.selectors,
                             [](const Selector& s) { return s.kind == SelectorKind::unit; });
}

Mode effective_mode(const Settings& settings, const Service& service) {
  if (service.allocator == Wanted::any || !selects_units(service)) return Mode::observe;
  return service.mode.value_or(settings.mode);
}

Persist effective_persist(const Settings& settings, const Service& service) {
  return service.persist.value_or(settings.persist);
}

}  // namespace allocd::settings
