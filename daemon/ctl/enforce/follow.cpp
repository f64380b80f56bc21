// SPDX-License-Identifier: Apache-2.0
#include "ctl/enforce/follow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "ctl/enforce/plan_view.hpp"

namespace allocd::ctl {

namespace {

// Tells what is decided and takes it off `units`.
base::Result<void> tell_decided(const host::Root& root, const std::string& state_directory,
                                std::vector<std::string>& units,
                                const std::function<void(const FuseOutcome&)>& tell) {
  const auto manifest = enforcer::read_manifest(root, state_directory);
  if (!manifest) return std::unexpected(manifest.error());
  std::erase_if(units, [&](const std::string& unit) {
    const auto outcome = find_outcome(*manifest, unit);
    if (outcome) tell(*outcome);
    return outcome.has_value();
  });
  return {};
}

}  // namespace

std::optional<FuseOutcome> find_outcome(const enforcer::Manifest& manifest, const std::string& unit) {
  for (const auto& [target, record] : manifest.targets) {
    const auto found = record.units.find(unit);
    if (found == record.units.end()) continue;
    // Another unit of the same template may have blown it: the drop-in goes for all of them.
    if (!record.rolled_back.empty())
      return FuseOutcome{unit, FuseOutcome::Kind::rolled_back, record.rolled_back, record.journal};
    if (found->second.fuse.phase == policy::FusePhase::settled)
      return FuseOutcome{unit, FuseOutcome::Kind::settled, "", {}};
    return std::nullopt;
  }
  return FuseOutcome{unit, FuseOutcome::Kind::forgotten, "", {}};
}

base::Result<void> follow_units(const host::Root& root, const std::string& state_directory,
                                std::vector<std::string> units, EnforcerService& service,
                                const std::function<void(const FuseOutcome&)>& tell) {
  constexpr std::chrono::milliseconds kPause{500};
  while (true) {
    // Asked first: what it writes before it ends is then seen.
    const auto running = service.is_running();
    if (!running) return std::unexpected(running.error());
    if (auto told = tell_decided(root, state_directory, units, tell); !told) return told;
    if (units.empty()) return {};
    if (!*running) {
      return base::fault(
          "follow", list_names(units),
          fmt::format("the enforcer ended before they settled; journalctl -u {} says why", kEnforcerUnit));
    }
    service.wait(kPause);
  }
}

}  // namespace allocd::ctl
