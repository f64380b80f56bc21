// SPDX-License-Identifier: Apache-2.0
// One enforcer at a time: flock(2) on a file of the state directory. The kernel lets go of it when the holder
// dies, however it dies.
#pragma once

#include <chrono>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "host/root.hpp"

namespace allocd::enforcer {

// Waits for `patience` at most; EWOULDBLOCK when another one still holds it.
[[nodiscard]] base::Result<base::UniqueFd> take_lock(const host::Root& root, const std::string& directory,
                                                     std::chrono::milliseconds patience);

}  // namespace allocd::enforcer
