// SPDX-License-Identifier: Apache-2.0
// The memory state of the whole machine: transparent and reserved huge pages, NUMA nodes, IOMMU, limits,
// figures.
//
// Plain data. A figure that was not read is absent, never 0: the kernel has no such file, it may not be read,
// or what stood in it was not what such a file holds. Which, is said in `problems`. Sizes are bytes unless
// the name says pages; counters are as the kernel counts them, from boot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/closed_enum.hpp"
#include "kernel/pressure.hpp"

namespace allocd::node {

using Figure = std::optional<std::uint64_t>;
using Word = std::optional<std::string>;
using Counters = std::map<std::string, std::uint64_t>;  // named by the kernel; names differ between kernels

enum class ProblemKind { missing, not_permitted, malformed, io };
inline constexpr base::EnumNames<ProblemKind, 4> kProblemKindNames{
    {"missing", "not_permitted", "malformed", "io"}};

struct ReadProblem {
  std::string path;
  ProblemKind kind = ProblemKind::io;
  std::string what;  // one line, printable
  bool operator==(const ReadProblem&) const = default;
};

struct ThpSize {
  std::uint64_t bytes = 0;
  Word enabled;        // "inherit": as Thp::enabled. Absent for a size that anonymous memory cannot have
  Word shmem_enabled;  // kernel 6.11
  Counters stats;      // kernel 6.10
  bool operator==(const ThpSize&) const = default;
};

struct Thp {
  std::optional<bool> is_supported;  // false: this kernel was built without
  Word enabled;
  Word defrag;
  Word shmem_enabled;
  std::optional<bool> use_zero_page;
  std::optional<bool> shrink_underused;  // kernel 6.12
  Figure pmd_bytes;                      // hpage_pmd_size
  Counters khugepaged;                   // settings and progress, by file name
  std::vector<ThpSize> sizes;            // rising; kernel 6.8
  Counters events;                       // thp_* of vmstat
  bool operator==(const Thp&) const = default;
};

struct NodeMemory {
  Figure total, free, used, file, mapped, anon, shmem, anon_huge, shmem_huge, file_huge, slab_reclaimable,
      slab_unreclaimable, kernel_stack, page_tables, dirty, writeback, unevictable, mlocked;
  bool operator==(const NodeMemory&) const = default;
};

struct NodeDistance {
  unsigned to = 0;
  std::uint64_t distance = 0;  // 10 is here
  bool operator==(const NodeDistance&) const = default;
};

struct NumaNode {
  unsigned id = 0;
  std::optional<bool> has_cpu;
  std::optional<bool> has_memory;
  Word cpus;                            // "0-31,64-95", "" for a node without
  std::vector<NodeDistance> distances;  // to every node, itself too; empty when not read
  NodeMemory memory;
  Counters numastat;
  bool operator==(const NumaNode&) const = default;
};

struct Numa {
  std::vector<NumaNode> nodes;  // rising ids
  Figure balancing;             // 0 off, 1 on, 2 memory tiering; kernel.numa_balancing
  bool operator==(const Numa&) const = default;
};

struct HugetlbNodePool {
  unsigned node = 0;
  Figure pages, free, surplus;
  bool operator==(const HugetlbNodePool&) const = default;
};

// Reserved pages are counted for the whole machine only, so a free total can hide a node that has none.
struct HugetlbPool {
  std::uint64_t page_bytes = 0;
  Figure pages, free, reserved, surplus, overcommit;
  std::vector<HugetlbNodePool> nodes;
  bool operator==(const HugetlbPool&) const = default;
};

// What DMA of devices goes through.
enum class IommuMode {
  none,         // the kernel runs no IOMMU
  translated,   // every group with a domain of the kernel's own is translated
  passthrough,  // every such group is identity mapped
  mixed,        // some are, some are not
  unknown,      // could not be read, or no group tells
};
inline constexpr base::EnumNames<IommuMode, 5> kIommuModeNames{
    {"none", "translated", "passthrough", "mixed", "unknown"}};

struct Iommu {
  // Words of the kernel's command line: what was asked for, no proof.
  std::optional<std::vector<std::string>> options;
  std::optional<bool> has_unit;               // an IOMMU is registered with the kernel
  std::map<std::string, std::size_t> groups;  // type ("DMA", "DMA-FQ", "identity", "unmanaged"...) -> groups
  std::optional<std::size_t> group_count;     // all of them, those whose type was not read too
  IommuMode mode = IommuMode::unknown;
  bool operator==(const Iommu&) const = default;
};

struct Vm {
  Figure overcommit_memory;  // 0 heuristic, 1 always, 2 never more than the limit
  Figure overcommit_ratio;   // percent
  Figure max_map_count;
  Figure swappiness;
  Figure min_free;           // bytes, of min_free_kbytes
  Figure zone_reclaim_mode;  // absent without NUMA
  Figure pins_acquired;      // pages that drivers pinned, counted up
  Figure pins_released;
  bool operator==(const Vm&) const = default;
};

// /proc/meminfo.
struct Memory {
  Figure total, free, available, buffers, cached, swap_cached, anon, mapped, shmem, dirty, writeback,
      slab_reclaimable, slab_unreclaimable, kernel_stack, page_tables, percpu, unevictable, mlocked,
      swap_total, swap_free, commit_limit, committed, anon_huge, shmem_huge, file_huge, hugetlb;
  std::optional<kernel::Pressure> pressure;  // absent too when the kernel keeps none (psi=0)
  bool operator==(const Memory&) const = default;
};

struct NodeState {
  Thp thp;
  Numa numa;
  std::optional<std::vector<HugetlbPool>> hugetlb;  // rising sizes; empty: this kernel has no such pages
  Iommu iommu;
  Vm vm;
  Memory memory;
  std::vector<ReadProblem> problems;  // in the order of reading
  bool operator==(const NodeState&) const = default;
};

// Those of `problems` that are somebody's to mend: all but `missing`.
[[nodiscard]] std::size_t count_errors(const NodeState& state);
// True when the kernel has no file (or folder) `path`, as the reading found.
[[nodiscard]] bool is_missing(const NodeState& state, std::string_view path);

}  // namespace allocd::node
