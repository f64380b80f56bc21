// SPDX-License-Identifier: Apache-2.0
// Whether memory is where its CPUs are: the nodes a set of CPUs belongs to, and the share of memory
// elsewhere.
//
// A node may have CPUs and no memory; its memory is then at the nearest nodes that have some, by the kernel's
// distances. Built once from a reading of the machine, asked for each unit. Pure; safe from any thread.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "kernel/cgroup_memory.hpp"
#include "node/state.hpp"

namespace allocd::node {

class NodeMap {
 public:
  NodeMap() = default;  // of a machine not read yet: answers nothing
  explicit NodeMap(const Numa& numa);

  // Where memory of a process on these CPUs is near: rising nodes; empty when a CPU's node is not known.
  [[nodiscard]] std::vector<unsigned> nodes_of_cpus(std::span<const unsigned> cpus) const;
  // The nearest nodes with memory, `node` itself if it has some.
  [[nodiscard]] std::vector<unsigned> nearest_memory(unsigned node) const;
  // Those of `cpus` that are online; all of them when that is not known.
  [[nodiscard]] std::vector<unsigned> online(std::span<const unsigned> cpus) const;
  // Share, 0 to 1, of anonymous and file memory (shared memory is in that) which is on none of `home`.
  // Nothing when there is no other node to be on, when a figure is missing, or when there is no memory at
  // all.
  [[nodiscard]] std::optional<double> off_share(const kernel::NodeTable& table,
                                                std::span<const unsigned> home) const;

 private:
  struct Place {
    unsigned id = 0;
    std::vector<unsigned> nearest;  // nodes with memory
  };
  std::vector<Place> places_;                  // rising ids
  std::vector<unsigned> memory_nodes_;         // rising
  std::vector<std::optional<unsigned>> cpus_;  // the node of each CPU that is online
  bool is_known_ = false;                      // every node's CPUs and memory
};

}  // namespace allocd::node
