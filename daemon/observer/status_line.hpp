// SPDX-License-Identifier: Apache-2.0
// The sample in one line, for systemd's STATUS= and the journal. Pure.
#pragma once

#include <string>

#include "snapshot/model.hpp"

namespace allocd::observer {

// "Watching 3 units, 14 processes: 2 compliant, 1 violation"
[[nodiscard]] std::string render_status_line(const snapshot::Snapshot& snapshot);

}  // namespace allocd::observer
