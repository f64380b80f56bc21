// SPDX-License-Identifier: Apache-2.0
// Asks a service's health URL (settings: loopback and plain http only). Blocking, for `limit` at most.
#pragma once

#include <chrono>
#include <string>

namespace allocd::enforcer {

// Whether a GET is answered with 2xx. Redirects are not followed: they could lead off this host.
[[nodiscard]] bool is_healthy(const std::string& url, std::chrono::milliseconds limit);

}  // namespace allocd::enforcer
