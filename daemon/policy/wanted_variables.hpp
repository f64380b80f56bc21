// SPDX-License-Identifier: Apache-2.0
// What a policy sets beside the allocator's library (MALLOC_CONF, GLIBC_TUNABLES, more files in LD_PRELOAD),
// and whether the unit's setting has it.
//
// The same values that a plan would write (desired.hpp), so that what is not in place here is what a plan
// would change. No process shows whether it has them: its environment is never read. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/assess.hpp"
#include "policy/desired.hpp"
#include "settings/settings.hpp"

namespace allocd::policy {

// Each variable and what it has to be. LD_PRELOAD, listed only where the policy names files: those that it
// has to hold. A variable that allocd's own drop-in sets and the policy does not ask for any more has to be
// what the unit's own files say.
[[nodiscard]] std::vector<Assignment> decide_wanted_variables(const settings::Service& service,
                                                              const UnitSetting& setting);

struct VariablesView {
  Setting setting = Setting::asks;
  // Where it is not `asks`.
  Link on_disk;
  Link loaded;
};
// Of `wanted_variables`; the first that is not in place speaks.
[[nodiscard]] VariablesView decide_variables(const UnitSetting& setting);

// Whether it is allocd's drop-in of the unit, or the file beside it.
[[nodiscard]] bool is_our_path(const UnitSetting& setting, std::string_view path);

// The last value that Environment= gives, by the files.
[[nodiscard]] std::string_view value_of_environment(const unitfile::Variable& variable);

}  // namespace allocd::policy
