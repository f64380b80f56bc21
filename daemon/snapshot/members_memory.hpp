// SPDX-License-Identifier: Apache-2.0
// The tables of members.hpp for the structs of model_memory.hpp and the plain data they hold.
#pragma once

#include "snapshot/model_memory.hpp"
#include "snapshot/table.hpp"

namespace allocd::snapshot::detail {

template <typename T>
concept MemoryTabled =
    OneOf<T, Placement, kernel::PressureLine, kernel::Pressure, kernel::FileProblem, kernel::EffectiveLimit,
          kernel::CgroupMemory, UnitCgroup, Locality, ProcessCostly, UnitCostly, node::ReadProblem,
          node::ThpSize, node::Thp, node::NodeMemory, node::NodeDistance, node::NumaNode, node::Numa,
          node::HugetlbNodePool, node::HugetlbPool, node::Iommu, node::Vm, node::Memory, node::NodeState,
          node::ExpectationResult, Node, kernel::SearchCounts, kernel::PageCache, ModelFiles>;

void each_member(Either<Placement> auto& placement, auto&& visit) {
  visit("thp_enabled", placement.thp_enabled);
  visit("cpus_allowed", placement.cpus_allowed);
  visit("mems_allowed", placement.mems_allowed);
  visit("gpus", placement.gpus);
}

void each_member(Either<kernel::PressureLine> auto& line, auto&& visit) {
  visit("avg10", line.avg10);
  visit("avg60", line.avg60);
  visit("avg300", line.avg300);
  visit("total_microseconds", line.total_microseconds);
}

void each_member(Either<kernel::Pressure> auto& pressure, auto&& visit) {
  visit("some", pressure.some);
  visit("full", pressure.full);
}

void each_member(Either<kernel::FileProblem> auto& problem, auto&& visit) {
  visit("file", problem.file);
  visit("kind", problem.kind);
}

void each_member(Either<kernel::EffectiveLimit> auto& effective, auto&& visit) {
  visit("limit", effective.limit);
  visit("group", effective.group);
}

void each_member(Either<kernel::CgroupMemory> auto& memory, auto&& visit) {
  visit("current", memory.current);
  visit("peak", memory.peak);
  visit("high", memory.high);
  visit("max", memory.max);
  visit("swap_current", memory.swap_current);
  visit("swap_max", memory.swap_max);
  visit("oom_group", memory.oom_group);
  visit("stat", memory.stat);
  visit("events", memory.events);
  visit("pressure", memory.pressure);
  visit("pressure_is_off", memory.pressure_is_off);
  visit("nodes", memory.nodes);
  visit("effective_high", memory.effective_high);
  visit("effective_max", memory.effective_max);
  visit("problems", memory.problems);
}

void each_member(Either<UnitCgroup> auto& cgroup, auto&& visit) {
  visit("state", cgroup.state);
  visit("read_at", cgroup.read_at);
  visit("limits_read_at", cgroup.limits_read_at);
  visit("memory", cgroup.memory);
}

void each_member(Either<Locality> auto& locality, auto&& visit) {
  visit("cpu_affinity", locality.cpu_affinity);
  visit("policy", locality.policy);
  visit("policy_nodes", locality.policy_nodes);
  visit("cpu_nodes", locality.cpu_nodes);
  visit("gpu_nodes", locality.gpu_nodes);
  visit("off_cpus", locality.off_cpus);
  visit("off_gpus", locality.off_gpus);
  visit("off_policy", locality.off_policy);
  visit("cpus_differ", locality.cpus_differ);
  visit("mems_differ", locality.mems_differ);
}

void each_member(Either<ProcessCostly> auto& costly, auto&& visit) {
  visit("kind", costly.kind);
  visit("read_at", costly.read_at);
  visit("seconds", costly.seconds);
  visit("smaps", costly.smaps);
  visit("nodes", costly.nodes);
}

void each_member(Either<UnitCostly> auto& costly, auto&& visit) {
  visit("kind", costly.kind);
  visit("states", costly.states);
  visit("processes", costly.processes);
  visit("oldest_read_at", costly.oldest_read_at);
  visit("last_seconds", costly.last_seconds);
  visit("seconds_total", costly.seconds_total);
  visit("reads", costly.reads);
  visit("smaps", costly.smaps);
  visit("nodes", costly.nodes);
}

void each_member(Either<node::ReadProblem> auto& problem, auto&& visit) {
  visit("path", problem.path);
  visit("kind", problem.kind);
  visit("what", problem.what);
}

void each_member(Either<node::ThpSize> auto& size, auto&& visit) {
  visit("bytes", size.bytes);
  visit("enabled", size.enabled);
  visit("shmem_enabled", size.shmem_enabled);
  visit("stats", size.stats);
}

void each_member(Either<node::Thp> auto& thp, auto&& visit) {
  visit("is_supported", thp.is_supported);
  visit("enabled", thp.enabled);
  visit("defrag", thp.defrag);
  visit("shmem_enabled", thp.shmem_enabled);
  visit("use_zero_page", thp.use_zero_page);
  visit("shrink_underused", thp.shrink_underused);
  visit("pmd_bytes", thp.pmd_bytes);
  visit("khugepaged", thp.khugepaged);
  visit("sizes", thp.sizes);
  visit("events", thp.events);
}

void each_member(Either<node::NodeMemory> auto& memory, auto&& visit) {
  visit("total", memory.total);
  visit("free", memory.free);
  visit("used", memory.used);
  visit("file", memory.file);
  visit("mapped", memory.mapped);
  visit("anon", memory.anon);
  visit("shmem", memory.shmem);
  visit("anon_huge", memory.anon_huge);
  visit("shmem_huge", memory.shmem_huge);
  visit("file_huge", memory.file_huge);
  visit("slab_reclaimable", memory.slab_reclaimable);
  visit("slab_unreclaimable", memory.slab_unreclaimable);
  visit("kernel_stack", memory.kernel_stack);
  visit("page_tables", memory.page_tables);
  visit("dirty", memory.dirty);
  visit("writeback", memory.writeback);
  visit("unevictable", memory.unevictable);
  visit("mlocked", memory.mlocked);
}

void each_member(Either<node::NodeDistance> auto& distance, auto&& visit) {
  visit("to", distance.to);
  visit("distance", distance.distance);
}

void each_member(Either<node::NumaNode> auto& node, auto&& visit) {
  visit("id", node.id);
  visit("has_cpu", node.has_cpu);
  visit("has_memory", node.has_memory);
  visit("cpus", node.cpus);
  visit("distances", node.distances);
  visit("memory", node.memory);
  visit("numastat", node.numastat);
}

void each_member(Either<node::Numa> auto& numa, auto&& visit) {
  visit("nodes", numa.nodes);
  visit("balancing", numa.balancing);
}

void each_member(Either<node::HugetlbNodePool> auto& pool, auto&& visit) {
  visit("node", pool.node);
  visit("pages", pool.pages);
  visit("free", pool.free);
  visit("surplus", pool.surplus);
}

void each_member(Either<node::HugetlbPool> auto& pool, auto&& visit) {
  visit("page_bytes", pool.page_bytes);
  visit("pages", pool.pages);
  visit("free", pool.free);
  visit("reserved", pool.reserved);
  visit("surplus", pool.surplus);
  visit("overcommit", pool.overcommit);
  visit("nodes", pool.nodes);
}

void each_member(Either<node::Iommu> auto& iommu, auto&& visit) {
  visit("options", iommu.options);
  visit("has_unit", iommu.has_unit);
  visit("groups", iommu.groups);
  visit("group_count", iommu.group_count);
  visit("mode", iommu.mode);
}

void each_member(Either<node::Vm> auto& vm, auto&& visit) {
  visit("overcommit_memory", vm.overcommit_memory);
  visit("overcommit_ratio", vm.overcommit_ratio);
  visit("max_map_count", vm.max_map_count);
  visit("swappiness", vm.swappiness);
  visit("min_free", vm.min_free);
  visit("zone_reclaim_mode", vm.zone_reclaim_mode);
  visit("pins_acquired", vm.pins_acquired);
  visit("pins_released", vm.pins_released);
}

void each_member(Either<node::Memory> auto& memory, auto&& visit) {
  visit("total", memory.total);
  visit("free", memory.free);
  visit("available", memory.available);
  visit("buffers", memory.buffers);
  visit("cached", memory.cached);
  visit("swap_cached", memory.swap_cached);
  visit("anon", memory.anon);
  visit("mapped", memory.mapped);
  visit("shmem", memory.shmem);
  visit("dirty", memory.dirty);
  visit("writeback", memory.writeback);
  visit("slab_reclaimable", memory.slab_reclaimable);
  visit("slab_unreclaimable", memory.slab_unreclaimable);
  visit("kernel_stack", memory.kernel_stack);
  visit("page_tables", memory.page_tables);
  visit("percpu", memory.percpu);
  visit("unevictable", memory.unevictable);
  visit("mlocked", memory.mlocked);
  visit("swap_total", memory.swap_total);
  visit("swap_free", memory.swap_free);
  visit("commit_limit", memory.commit_limit);
  visit("committed", memory.committed);
  visit("anon_huge", memory.anon_huge);
  visit("shmem_huge", memory.shmem_huge);
  visit("file_huge", memory.file_huge);
  visit("hugetlb", memory.hugetlb);
  visit("pressure", memory.pressure);
}

void each_member(Either<node::NodeState> auto& state, auto&& visit) {
  visit("thp", state.thp);
  visit("numa", state.numa);
  visit("hugetlb", state.hugetlb);
  visit("iommu", state.iommu);
  visit("vm", state.vm);
  visit("memory", state.memory);
  visit("problems", state.problems);
}

void each_member(Either<node::ExpectationResult> auto& result, auto&& visit) {
  visit("key", result.key);
  visit("wanted", result.wanted);
  visit("found", result.found);
  visit("state", result.state);
}

void each_member(Either<Node> auto& node, auto&& visit) {
  visit("known", node.known);
  visit("read_at", node.read_at);
  visit("interval", node.interval);
  visit("duration", node.duration);
  visit("state", node.state);
  visit("expectations", node.expectations);
}

void each_member(Either<kernel::SearchCounts> auto& counts, auto&& visit) {
  visit("files", counts.files);
  visit("not_permitted", counts.not_permitted);
  visit("automounts", counts.automounts);
  visit("others", counts.others);
  visit("stopped", counts.stopped);
  visit("truncated", counts.truncated);
}

void each_member(Either<kernel::PageCache> auto& cache, auto&& visit) {
  visit("search", cache.search);
  visit("files", cache.files);
  visit("bytes", cache.bytes);
  visit("cached", cache.cached);
  visit("dirty", cache.dirty);
  visit("writeback", cache.writeback);
  visit("evicted", cache.evicted);
  visit("recently_evicted", cache.recently_evicted);
  visit("used_mincore", cache.used_mincore);
  visit("not_permitted", cache.not_permitted);
  visit("unsupported", cache.unsupported);
  visit("failed", cache.failed);
  visit("stopped", cache.stopped);
}

void each_member(Either<ModelFiles> auto& files, auto&& visit) {
  visit("service", files.service);
  visit("patterns", files.patterns);
  visit("read_at", files.read_at);
  visit("interval", files.interval);
  visit("duration", files.duration);
  visit("figures", files.figures);
}

template <>
inline constexpr auto kNamesOf<kernel::MemoryStat> = kernel::kMemoryStatNames;
template <>
inline constexpr auto kNamesOf<kernel::MemoryEvent> = kernel::kMemoryEventNames;
template <>
inline constexpr auto kNamesOf<kernel::NodeKind> = kernel::kNodeKindNames;
template <>
inline constexpr auto kNamesOf<kernel::FileProblemKind> = kernel::kFileProblemKindNames;
template <>
inline constexpr auto kNamesOf<kernel::SmapsKey> = kernel::kSmapsKeyNames;
template <>
inline constexpr auto kNamesOf<kernel::PageKind> = kernel::kPageKindNames;
template <>
inline constexpr auto kNamesOf<kernel::CostlyKind> = kernel::kCostlyKindNames;
template <>
inline constexpr auto kNamesOf<node::ProblemKind> = node::kProblemKindNames;
template <>
inline constexpr auto kNamesOf<node::IommuMode> = node::kIommuModeNames;
template <>
inline constexpr auto kNamesOf<node::ExpectationState> = node::kExpectationStateNames;
template <>
inline constexpr auto kNamesOf<CgroupMemoryState> = kCgroupMemoryStateNames;
template <>
inline constexpr auto kNamesOf<CostlyState> = kCostlyStateNames;
template <>
inline constexpr auto kNamesOf<NumaPolicy> = kNumaPolicyNames;

}  // namespace allocd::snapshot::detail
