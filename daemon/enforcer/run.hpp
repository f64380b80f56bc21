// SPDX-License-Identifier: Apache-2.0
// The enforcer from start to end: trust, lock, requests, enforcement, fuse. Exit code.
#pragma once

#include "enforcer/options.hpp"
#include "host/journal.hpp"

namespace allocd::enforcer {

// 0 when everything asked for was done or is blocked for a reason that was told; 1 when something failed; 78
// when the configuration cannot be read or trusted.
[[nodiscard]] int run(const Options& options, host::Journal& journal);

}  // namespace allocd::enforcer
