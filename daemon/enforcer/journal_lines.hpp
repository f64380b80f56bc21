// SPDX-License-Identifier: Apache-2.0
// The last lines of a unit, to show beside a rollback why it was one. sd-journal(3).
//
// Chosen by unit and time, not by invocation: journald looks up a line's invocation when it gets to the line,
// and in a crash loop that is often the next start's already.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace allocd::enforcer {

// What the unit's processes said and what systemd said of them since `since` (seconds since the epoch): at
// most the last `most` lines, oldest first, each cut at 400 bytes. Empty when the journal cannot be read: the
// rollback does not depend on it. Waits up to a second for journald to catch up.
[[nodiscard]] std::vector<std::string> read_journal_lines(const std::string& unit, double since,
                                                          std::size_t most);

}  // namespace allocd::enforcer
