// SPDX-License-Identifier: Apache-2.0
// The calls that change something in systemd: reload, start, restart. For the enforcer alone.
//
// One synchronous connection, made when first needed and again after it was lost; each call with a deadline.
// Start and restart ask for the job and do not wait for it: a model may take minutes to load, and whether the
// unit lives is seen in the unit. Blocking; not for a loop. org.freedesktop.systemd1(5).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "host/bus_handles.hpp"

namespace allocd::host {

struct ControlOptions {
  std::string address;  // D-Bus address; "" is the system bus
  std::chrono::milliseconds call_deadline{10'000};
  // systemd answers when it has read every unit file again, which on a large host takes its time.
  std::chrono::milliseconds reload_deadline{90'000};
};

class SystemdControl {
 public:
  explicit SystemdControl(ControlOptions options) : options_(std::move(options)) {}

  [[nodiscard]] base::Result<void> reload();
  // Fails where an operator, or the host's shutdown, has queued a stop.
  [[nodiscard]] base::Result<void> start(const std::string& unit);
  // Only if it runs: a unit that was stopped meanwhile stays stopped (TryRestartUnit), and a job that an
  // operator has queued for it is not replaced.
  [[nodiscard]] base::Result<void> restart(const std::string& unit);
  // Has the service read its own configuration again (ReloadUnit), which is not a reload().
  [[nodiscard]] base::Result<void> reload_unit(const std::string& unit);
  // Forgets a failure and the count of starts, so that the next start is not refused for the ones before.
  [[nodiscard]] base::Result<void> reset_failed(const std::string& unit);
  // "NAME=value" of the manager: what every service inherits.
  [[nodiscard]] base::Result<std::vector<std::string>> environment();
  // Which systemd it is: "252.39-1~deb12u1".
  [[nodiscard]] base::Result<std::string> version();
  // When this boot's systemd began (UserspaceTimestamp): another number with each boot, the same over
  // reloads.
  [[nodiscard]] base::Result<std::uint64_t> boot_usec();

 private:
  [[nodiscard]] base::Result<sd_bus*> bus();
  [[nodiscard]] base::Result<MessageHandle> call(const char* member,
                                                 const std::vector<std::string>& arguments,
                                                 std::chrono::milliseconds deadline);

  ControlOptions options_;
  BusHandle bus_;
};

}  // namespace allocd::host
