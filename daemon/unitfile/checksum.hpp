// SPDX-License-Identifier: Apache-2.0
// SHA-256 as 64 lower-case hex digits. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace allocd::unitfile {

[[nodiscard]] std::string sha256_hex(std::string_view text);

}  // namespace allocd::unitfile
