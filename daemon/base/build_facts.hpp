// SPDX-License-Identifier: Apache-2.0
// What this build was made from and with. Constant; no time of building, for two builds of one source are
// the same bytes.
#pragma once

#include <string_view>

namespace allocd::base {

// Abbreviated git commit as of the last run of CMake; "unknown" for a build from a tarball.
[[nodiscard]] std::string_view build_revision();
// "gcc 12.2.0"
[[nodiscard]] std::string_view build_compiler();

}  // namespace allocd::base
