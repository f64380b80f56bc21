// SPDX-License-Identifier: Apache-2.0
#include "observer/selection.hpp"

namespace allocd::observer {

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
