// SPDX-License-Identifier: Apache-2.0
// Runs the canary through systemd, for a caller that is root without capabilities and cannot become anybody
// else.
//
// A transient oneshot service allocd-canary-<random>.service with a dynamic user, no network, a read-only
// file system, and bounds on time, memory and processes; its cgroup is killed with it. The unit is released
// on every way out; when this process dies systemd releases it, and it ends at its time limit. One connection
// per run, every call with a deadline. The manager's own environment reaches the canary as it reaches every
// service; what the options set beats it. Blocking; safe from any thread. org.freedesktop.systemd1(5).
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "preflight/canary.hpp"

namespace allocd::preflight {

struct SystemdRunnerOptions {
  std::string address;  // D-Bus address; "" is the system bus
  std::chrono::milliseconds call_deadline{5'000};
};

class SystemdRunner final : public CanaryRunner {
 public:
  explicit SystemdRunner(SystemdRunnerOptions options = {}) : options_(std::move(options)) {}
  [[nodiscard]] CanaryRun run(const CanaryOptions& options) override;

 private:
  SystemdRunnerOptions options_;
};

}  // namespace allocd::preflight
