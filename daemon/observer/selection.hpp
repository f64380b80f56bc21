// SPDX-License-Identifier: Apache-2.0
// Which control groups the settings select; units are policy/selection.hpp's. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "settings/settings.hpp"

namespace allocd::observer {

// A pattern that matches more control groups is a mistake, and each group costs a few series.
inline constexpr std::size_t kMaxGroupsPerSelector = 256;

struct CgroupSelector {
  const settings::Service* service = nullptr;
  std::string pattern;
};
[[nodiscard]] std::vector<CgroupSelector> cgroup_selectors(const settings::Settings& settings);

}  // namespace allocd::observer
