// SPDX-License-Identifier: Apache-2.0
// Where a unit's memory is, against its CPUs, its GPUs and what its unit file asks for.
//
// A memory policy does not show in Mems_allowed_list, which is the cpuset's: so NUMAMask= is compared with
// where the memory is, and with which nodes a process may use at all. Pure; safe from any thread.
#pragma once

#include <map>
#include <string>

#include "host/unit_manager.hpp"
#include "node/locality.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

// What the unit file says; the rest of unit.locality stays.
void add_unit_placement(const host::UnitFacts& facts, snapshot::Unit& unit);

// Everything else, from the processes' placement and the control group's NUMA table. `gpu_nodes` by device
// name.
void add_locality(const node::NodeMap& nodes, const std::map<std::string, unsigned>& gpu_nodes,
                  snapshot::Unit& unit);

}  // namespace allocd::observer
