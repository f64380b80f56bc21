// SPDX-License-Identifier: Apache-2.0
// /proc/cmdline: what the boot loader told the kernel, Documentation/admin-guide/kernel-parameters.rst.
//
// Sample: `quiet intel_iommu=on dyndbg="file a.c +p; file b.c +p" -- single`. Blanks separate words except
// inside double quotes; what follows "--" is init's and is left out. A word says what was asked for, not what
// is so. Pure; safe from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace allocd::kernel {

// The words, quotes removed. Nothing when the text does not end in a newline or holds a control character.
[[nodiscard]] std::optional<std::vector<std::string>> parse_command_line(std::string_view text);

// True when `word` sets the parameter `name`: "iommu.passthrough=1" sets "iommu.passthrough". The kernel
// takes
// '-' and '_' in names for the same.
[[nodiscard]] bool sets_parameter(std::string_view word, std::string_view name);

}  // namespace allocd::kernel
