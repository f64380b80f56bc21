// SPDX-License-Identifier: Apache-2.0
// `plan`, `apply` and `revert`: what would change, and having the enforcer change it.
//
// apply and revert show their plan, ask, post the request, and tell what the enforcer's report says. The
// enforcer decides again from root's own configuration, so the report may differ from what was shown, and is
// what counts. Nothing here writes a unit file.
#pragma once

#include "ctl/answer.hpp"
#include "ctl/command_line.hpp"
#include "ctl/enforce/dialogue.hpp"
#include "ctl/render_options.hpp"

namespace allocd::ctl {

[[nodiscard]] Answer run_plan(const CommandLine& line, const RenderOptions& options);
[[nodiscard]] Answer run_change(const CommandLine& line, const RenderOptions& options, Dialogue& dialogue);

}  // namespace allocd::ctl
