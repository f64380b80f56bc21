// SPDX-License-Identifier: Apache-2.0
// Where allocd's own drop-in of a unit lies (systemd.unit(5)): the name sorts last, so that it wins. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace allocd::host {

inline constexpr std::string_view kDropInName = "zz-allocd.conf";

// For "vllm@a.service": the instance's own directory first, then the template's.
[[nodiscard]] std::vector<std::string> drop_in_paths_of(std::string_view unit);

}  // namespace allocd::host
