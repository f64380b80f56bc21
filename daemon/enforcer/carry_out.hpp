// SPDX-License-Identifier: Apache-2.0
// From a plan to the disk: which items are meant, whether their library is sound, and the writing itself.
//
// Single-threaded; blocking. Whoever calls this holds the enforcer's lock.
#pragma once

#include <string>
#include <vector>

#include "enforcer/manifest.hpp"
#include "enforcer/request.hpp"
#include "enforcer/survey.hpp"
#include "host/root.hpp"
#include "policy/plan.hpp"
#include "preflight/preflight.hpp"

namespace allocd::enforcer {

// The plan a request is about: of all that could be done, what is asked for. Enforcement by itself takes only
// what `mode: enforce` covers. An error names units that nothing selects.
[[nodiscard]] base::Result<policy::Plan> decide_request(const Survey& survey, const Manifest& manifest,
                                                        const Request& request);

// Blocks the items that would preload a library which does not pass on this host.
void check_items(policy::Plan& plan, const Survey& survey, preflight::Preflight& preflight);

// Writes and removes the item's files, in an order in which no moment is worse than before: what is named
// before what names it, and the other way round when they go. "" or why it stopped; what was done until then
// is undone.
// Of directories that get empty, those of `made_directories` go too.
[[nodiscard]] std::string apply_item(const host::Root& root, const policy::PlanItem& item,
                                     const std::vector<std::string>& made_directories);

// The directories that have to be made for the item's files.
[[nodiscard]] std::vector<std::string> list_missing_directories(const host::Root& root,
                                                                const policy::PlanItem& item);

}  // namespace allocd::enforcer
