// SPDX-License-Identifier: Apache-2.0
// systemd's own line in the journal that says a unit was stopped by a stop job: what an operator, Conflicts=
// or the host's shutdown asks for, and what neither a crash nor a restart leaves. sd-journal(3).
#pragma once

#include <string>

namespace allocd::enforcer {

// Of the start `invocation` (32 hex digits) of the unit. False when there is none, and when the journal
// cannot be read. Waits up to a second for journald to catch up.
[[nodiscard]] bool has_stop_line(const std::string& unit, const std::string& invocation);

}  // namespace allocd::enforcer
