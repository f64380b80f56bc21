// SPDX-License-Identifier: Apache-2.0
// The last lines a unit's processes logged, to show beside a rollback why it was one. sd-journal(3).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace allocd::enforcer {

// Of one start of the unit (32 hex digits), oldest first, each cut at 400 bytes. Empty when the journal
// cannot be read: the rollback does not depend on it.
[[nodiscard]] std::vector<std::string> read_journal_lines(const std::string& invocation, std::size_t most);

}  // namespace allocd::enforcer
