// SPDX-License-Identifier: Apache-2.0
// Runs the canary as a child of this process, in a process group of its own that is killed after it.
//
// An ordinary user runs it as himself; root becomes user 65534 first and refuses to run it when it may not
// (the enforcer, root without capabilities, uses systemd_runner.hpp). No new privileges, no core file; it
// dies with its caller. Blocking; safe beside other threads: between fork and exec only async-signal-safe
// calls are made. A child that leaves the process group (setsid) outlives the run; systemd's runner has a
// cgroup for that.
#pragma once

#include "preflight/canary.hpp"

namespace allocd::preflight {

class DirectRunner final : public CanaryRunner {
 public:
  [[nodiscard]] CanaryRun run(const CanaryOptions& options) override;
};

}  // namespace allocd::preflight
