// SPDX-License-Identifier: Apache-2.0
// `reload`: has allocd read its configuration again, after it was found good; waits, if asked, until a
// snapshot shows what came of it. Blocking.
#pragma once

#include <optional>

#include "ctl/answer.hpp"
#include "ctl/command_line.hpp"
#include "snapshot/model.hpp"

namespace allocd::ctl {

[[nodiscard]] Answer run_reload(const CommandLine& line);

// Whether the reload asked for after `before` was taken has succeeded, or has failed; nothing while `now`
// does not show it yet. Pure.
[[nodiscard]] std::optional<bool> decide_reload(const snapshot::Snapshot& before,
                                                const snapshot::Snapshot& now);

}  // namespace allocd::ctl
