// SPDX-License-Identifier: Apache-2.0
// What the fuse decided about units that were restarted, read from the enforcer's manifest. Pure but for
// follow_units, which waits for as long as the enforcer stands by them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ctl/enforce/exchange.hpp"
#include "enforcer/manifest.hpp"
#include "host/root.hpp"

namespace allocd::ctl {

struct FuseOutcome {
  enum class Kind { settled, rolled_back, forgotten };  // forgotten: its drop-in was taken away meanwhile
  std::string unit;
  Kind kind = Kind::settled;
  std::string why;                   // rolled_back
  std::vector<std::string> journal;  // rolled_back: the unit's last lines
  bool operator==(const FuseOutcome&) const = default;
};

// Nothing while it is not decided.
[[nodiscard]] std::optional<FuseOutcome> find_outcome(const enforcer::Manifest& manifest,
                                                      const std::string& unit);

// Calls `tell` with each outcome as it comes. A fault when the enforcer ends before all are decided.
[[nodiscard]] base::Result<void> follow_units(const host::Root& root, const std::string& state_directory,
                                              std::vector<std::string> units, EnforcerService& service,
                                              const std::function<void(const FuseOutcome&)>& tell);

}  // namespace allocd::ctl
