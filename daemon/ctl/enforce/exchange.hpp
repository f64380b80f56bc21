// SPDX-License-Identifier: Apache-2.0
// One request to the enforcer and its answer: posted, the enforcer started, the report waited for.
//
// Starting is harmless while it runs (systemd merges the jobs, and it looks into its mailbox as long as it
// runs), so one that ended without an answer, because it was just about to end, is started again. Blocking,
// with a limit; a request that was not answered is withdrawn. One whose asker was killed is carried out.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "enforcer/mailbox.hpp"
#include "enforcer/request.hpp"

namespace allocd::ctl {

inline constexpr const char* kEnforcerUnit = "allocd-enforcer.service";

// The enforcer as systemd has it.
class EnforcerService {
 public:
  virtual ~EnforcerService() = default;
  [[nodiscard]] virtual base::Result<void> start() = 0;
  [[nodiscard]] virtual base::Result<bool> is_running() = 0;
  // Lets `time` pass, less when something happens.
  virtual void wait(std::chrono::milliseconds time) = 0;
};

[[nodiscard]] base::Result<std::unique_ptr<EnforcerService>> open_enforcer_service(
    const std::string& bus_address);

struct ExchangeLimits {
  std::chrono::milliseconds pause{100};       // between two looks
  std::chrono::milliseconds patience{1'000};  // until one that does not run is started again
  std::chrono::milliseconds answer{300'000};  // for the report
  int starts = 3;
};

// 32 hexadecimal digits nobody can guess.
[[nodiscard]] base::Result<std::string> make_request_id();

[[nodiscard]] base::Result<enforcer::Report> ask_enforcer(const enforcer::Mailbox& mailbox,
                                                          EnforcerService& service,
                                                          const enforcer::Request& request,
                                                          const ExchangeLimits& limits = {});

}  // namespace allocd::ctl
