// SPDX-License-Identifier: Apache-2.0
// A plan for people: what changes and why, each file as a diff, what stands in the way, and what to do next.
// Pure. The JSON form is enforcer::render_plan.
//
// Prose keeps to the width, but no path or name is broken; the lines of a diff are whole. Everything is made
// harmless for a terminal.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "ctl/render_options.hpp"
#include "policy/plan.hpp"

namespace allocd::ctl {

struct PlanContext {
  std::set<std::string> observed;   // services of mode observe, or of none that enforces
  std::set<std::string> named;      // units asked for: shown also when nothing is to be done for them
  std::vector<std::string> unread;  // units of which systemd has not read what lies on disk
  std::string next_step;            // the command that would do it; "" when it is being done
};

[[nodiscard]] std::string render_plan_text(const policy::Plan& plan, const PlanContext& context,
                                           const RenderOptions& options);

// "a.service, b.service and 3 more"
[[nodiscard]] std::string list_names(const std::vector<std::string>& names);

}  // namespace allocd::ctl
