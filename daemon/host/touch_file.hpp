// SPDX-License-Identifier: Apache-2.0
// Touches a file: how the observer says "look now" to the path unit that starts the enforcer.
//
// The file is made where it is missing (0644) and closed after writing nothing; whatever it held is cut off:
// it is a signal and carries no word. A link, or anything but a plain file, is left alone. Any thread.
#pragma once

#include <string>

#include "base/result.hpp"
#include "host/root.hpp"

namespace allocd::host {

[[nodiscard]] base::Result<void> apply_touch(const Root& root, const std::string& path);

}  // namespace allocd::host
