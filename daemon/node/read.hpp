// SPDX-License-Identifier: Apache-2.0
// Reads the memory state of the whole machine, once. Nothing is cached: all of it can change at any time.
//
// Cost: 4 system calls a file, 8 a folder listed. Files: 17, and 9 of khugepaged; for each THP size 2 and its
// statistics (18 on kernel 6.18); for each hugetlb size 5; for each NUMA node 4 and 3 a hugetlb size; for
// each IOMMU group 1. Measured on kernel 6.18 with one node and nine THP sizes: 220 files, 1,050 calls, 1.5
// ms; 8 nodes add 80 files. So it is for a slow timer. How many sizes, nodes and groups are followed is
// bounded below, and so is the length of a file (reader.hpp). No file read here makes a process wait: none
// takes a lock of a process's memory. Works without privilege. Safe from any thread.
#pragma once

#include <cstddef>

#include "host/root.hpp"
#include "node/state.hpp"

namespace allocd::node {

inline constexpr std::size_t kMaxThpSizes = 32;
inline constexpr std::size_t kMaxHugetlbSizes = 16;
inline constexpr std::size_t kMaxNodes = 256;
inline constexpr std::size_t kMaxIommuGroups = 4096;

[[nodiscard]] NodeState read_node(const host::Root& root);

}  // namespace allocd::node
