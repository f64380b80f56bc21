// SPDX-License-Identifier: Apache-2.0
// The parts of `allocctl show` and `allocctl node` that have files of their own. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "ctl/render_options.hpp"
#include "snapshot/model.hpp"

namespace allocd::ctl {

// `mappings_limit`: vm.max_map_count; 0: not known.
void add_unit_memory(std::string& out, const snapshot::Unit& unit, std::uint64_t mappings_limit,
                     const RenderOptions& options);

// Deleted or replaced: the process goes on with a file that nobody finds any more.
[[nodiscard]] bool is_off_disk(const snapshot::Library& library);

// Every different set of allocator libraries once, with the processes that have it and how that is known.
void add_libraries(std::string& out, const snapshot::Unit& unit, const RenderOptions& options);

// How much of each service's model files is in the page cache; nothing when no service names any.
void add_model_files(std::string& out, const snapshot::Snapshot& snapshot, const RenderOptions& options);

}  // namespace allocd::ctl
