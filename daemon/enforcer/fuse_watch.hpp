// SPDX-License-Identifier: Apache-2.0
// What the fuse is shown of a unit: systemd's view, whether somebody stopped it, and, when the fuse decides,
// the answer of the health URL.
//
// An end that somebody asked for (systemctl stop, Conflicts=, the host's shutdown) and a death may both leave
// the unit `failed` with the same Result. They differ in order: a unit that is stopped leaves `active` before
// its main process ends, one that dies after it. Where that says nothing (it never got active, or has no main
// process), systemd's line "Stopped" in the journal does: it names the job and the invocation.
#pragma once

#include <chrono>
#include <optional>

#include "host/unit_manager.hpp"
#include "policy/fuse.hpp"
#include "settings/settings.hpp"

namespace allocd::enforcer {

// Of a unit that is down: whether it was stopped, told from systemd's view alone; nothing when that cannot
// tell.
[[nodiscard]] std::optional<bool> tell_stop(const host::UnitFacts& facts);

// The same of its start `invocation`, with the journal where the view cannot tell. False when nothing tells.
[[nodiscard]] bool was_stopped(const host::UnitFacts& facts, const std::string& invocation);

// `memory` says whether it matters that a unit which is down was stopped.
[[nodiscard]] policy::FuseView view_of(const host::UnitFacts& facts, const policy::FuseMemory& memory = {});

// Asks the URL only when policy::wants_health: a model that still loads owes no answer. Blocking, a few
// seconds at most.
[[nodiscard]] policy::FuseView add_health(policy::FuseView view, const policy::FuseMemory& memory,
                                          const settings::Service* service, std::chrono::milliseconds settle,
                                          double now);

}  // namespace allocd::enforcer
