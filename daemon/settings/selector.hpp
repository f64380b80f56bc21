// SPDX-License-Identifier: Apache-2.0
// The patterns of `unit:` and `cgroup:`, checked and brought into the one form the observer compares.
//
// Refuses what could never select a process (a template without an instance, a .socket) and says what to
// write instead. Brackets must be closed. Pure; safe from any thread. systemd.unit(5), fnmatch(3).
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "settings/value_error.hpp"

namespace allocd::settings {

// "vllm" gives "vllm.service"; "vllm@*.service" stays.
[[nodiscard]] std::expected<std::string, ValueError> parse_unit_pattern(std::string_view text);

// "/machine.slice/libpod-*.scope" stays.
[[nodiscard]] std::expected<std::string, ValueError> parse_cgroup_pattern(std::string_view text);

}  // namespace allocd::settings
