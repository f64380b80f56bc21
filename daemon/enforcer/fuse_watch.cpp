// SPDX-License-Identifier: Apache-2.0
#include "enforcer/fuse_watch.hpp"

#include "enforcer/health.hpp"
#include "kernel/system.hpp"

namespace allocd::enforcer {

namespace {

constexpr std::chrono::milliseconds kHealthLimit{3000};
constexpr int kHealthTries = 3;

}  // namespace

policy::FuseView view_of(const host::UnitFacts& facts) {
  return {.load_state = facts.load_state,
          .active_state = facts.active_state,
          .sub_state = facts.sub_state,
          .invocation = facts.invocation_id,
          .restarts = facts.restarts,
          .healthy = {}};
}

policy::FuseView add_health(policy::FuseView view, const policy::FuseMemory& memory,
                            const settings::Service* service, std::chrono::milliseconds settle) {
  if (service == nullptr || service->health.empty()) return view;
  const double up_for = memory.up_since == 0 ? 0 : kernel::realtime_now() - memory.up_since;
  const bool decides =
      memory.phase == policy::FusePhase::settling && up_for >= std::chrono::duration<double>(settle).count();
  view.healthy = false;
  for (int tries = 0; decides && !*view.healthy && tries < kHealthTries; ++tries)
    view.healthy = is_healthy(service->health, kHealthLimit);
  return view;
}

}  // namespace allocd::enforcer
