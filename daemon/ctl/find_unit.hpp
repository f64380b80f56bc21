// SPDX-License-Identifier: Apache-2.0
// Which unit of the snapshot an operator means. Pure.
//
// In this order: the exact name; the name with ".service"; the one unit whose last path part without its
// suffix is the word ("libpod-3f1c9a" for "/machine.slice/libpod-3f1c9a.scope"); the one unit of the service
// of that name. More than one in the last two is an error that lists them: nothing is guessed.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "snapshot/model.hpp"

namespace allocd::ctl {

// The unit, or what to tell the operator (one or more lines, names not yet made printable).
[[nodiscard]] std::expected<const snapshot::Unit*, std::string> find_unit(const snapshot::Snapshot& snapshot,
                                                                          std::string_view word);

}  // namespace allocd::ctl
