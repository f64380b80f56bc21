// SPDX-License-Identifier: Apache-2.0
// What became of a request, for people: each target, systemd's reload, who was restarted, and what is left
// for the operator to do. Pure. The JSON form is enforcer::render_report.
#pragma once

#include <string>

#include "ctl/command_line.hpp"
#include "ctl/enforce/follow.hpp"
#include "ctl/render_options.hpp"
#include "enforcer/request.hpp"
#include "settings/settings.hpp"

namespace allocd::ctl {

[[nodiscard]] std::string render_report_text(const enforcer::Report& report,
                                             const settings::Settings& settings,
                                             const RenderOptions& options);

[[nodiscard]] std::string render_outcome(const FuseOutcome& outcome, const RenderOptions& options);

// 0 all done, 1 something failed, 3 something is blocked.
[[nodiscard]] ExitCode exit_code_of(const enforcer::Report& report);

// Units of the report that allocd has restarted or is going to, now, by itself.
[[nodiscard]] std::vector<std::string> units_to_follow(const enforcer::Report& report,
                                                       const settings::Settings& settings);

}  // namespace allocd::ctl
