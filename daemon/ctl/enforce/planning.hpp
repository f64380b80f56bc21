// SPDX-License-Identifier: Apache-2.0
// The plan as any user can have it: the enforcer's own survey and decisions, read with the caller's rights,
// and the libraries proved on this host by a canary that is never run as root.
//
// What is shown and what `apply` does come from the same functions; the enforcer decides again by itself when
// it is asked. Reads only. Blocking, as long as systemd's answers and the canary take.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/answer.hpp"
#include "ctl/command_line.hpp"
#include "ctl/enforce/plan_view.hpp"
#include "enforcer/manifest.hpp"
#include "enforcer/request.hpp"
#include "settings/settings.hpp"

namespace allocd::ctl {

struct Planned {
  settings::Settings settings;
  enforcer::Manifest manifest;
  policy::Plan plan;
  PlanContext context;
  std::vector<std::string> warnings;  // for standard error, one line each
};

// The request a command line stands for; without an id.
[[nodiscard]] enforcer::Request make_request(const CommandLine& line);

// An operator's word as systemctl takes it: without a suffix it means a service.
[[nodiscard]] std::string to_unit_name(std::string_view word);

// The plan, or the answer that ends the command: bad configuration, no bus, an unknown unit.
[[nodiscard]] std::expected<Planned, Answer> make_plan(const CommandLine& line,
                                                       const enforcer::Request& request);

}  // namespace allocd::ctl
