// SPDX-License-Identifier: Apache-2.0
// What systemd would set of LD_PRELOAD, MALLOC_CONF and GLIBC_TUNABLES at the unit's next start: every place
// that has a say, with its file and line, and the one that wins. Pure.
#pragma once

#include <string>

#include "base/json_writer.hpp"
#include "ctl/render_options.hpp"
#include "snapshot/model.hpp"

namespace allocd::ctl {

inline constexpr base::EnumNames<unitfile::Origin, 5> kOriginNames{
    {"manager", "pass_environment", "environment", "environment_file", "unset_environment"}};

// Under a heading of its own; nothing where the snapshot knows nothing.
void add_environment(std::string& out, const snapshot::Environment& environment,
                     const RenderOptions& options);

// As one value: null where the snapshot knows nothing.
void write_environment(base::JsonWriter& out, const snapshot::Environment& environment);

}  // namespace allocd::ctl
