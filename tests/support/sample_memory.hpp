// SPDX-License-Identifier: Apache-2.0
// The memory part of the sample snapshot: a machine with two nodes, GPU and CPUs of the vLLM unit on node 0.
//
//   the node              thp.enabled was declared `madvise` and is `always`; node 1 has no free huge page
//   vllm.service          has its control group's figures; a fifth of its memory is on the far node, it met
//   its
//                         limit, one worker may run on the wrong CPUs, two were too large for smaps_rollup
//   sglang.service        as well, and nothing is wrong with it; pressure is off
//   /machine.slice/...    the memory controller is off
//   vllm's model files    all there, two thirds cached
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "snapshot/model.hpp"

namespace allocd::test {

inline constexpr double kSampleTime = 1'760'000'000.25;  // 2025-10-09T08:53:20Z
inline constexpr snapshot::Bytes kKiB = 1024;
inline constexpr snapshot::Bytes kMiB = 1024 * kKiB;
inline constexpr snapshot::Bytes kGiB = 1024 * kMiB;

inline kernel::NodeFigures sample_node_figures(snapshot::Bytes anon, snapshot::Bytes file,
                                               snapshot::Bytes shmem) {
  using kernel::NodeKind;
  kernel::NodeFigures figures;
  figures[NodeKind::anon] = anon;
  figures[NodeKind::file] = file;
  figures[NodeKind::shmem] = shmem;
  figures[NodeKind::kernel_stack] = 3 * kMiB;
  figures[NodeKind::slab_reclaimable] = 96 * kMiB;
  figures[NodeKind::slab_unreclaimable] = 40 * kMiB;
  return figures;
}

inline kernel::MemoryStats sample_stat(snapshot::Bytes anon, snapshot::Bytes file) {
  using kernel::MemoryStat;
  kernel::MemoryStats stat;
  stat[MemoryStat::anon] = anon;
  stat[MemoryStat::file] = file;
  stat[MemoryStat::kernel] = 420 * kMiB;
  stat[MemoryStat::kernel_stack] = 6 * kMiB;
  stat[MemoryStat::pagetables] = 98 * kMiB;
  stat[MemoryStat::shmem] = 320 * kMiB;
  stat[MemoryStat::slab] = 272 * kMiB;
  stat[MemoryStat::inactive_file] = 900 * kMiB;
  stat[MemoryStat::anon_thp] = anon / 2;
  stat[MemoryStat::file_thp] = 0;
  stat[MemoryStat::shmem_thp] = 0;
  stat[MemoryStat::workingset_refault_anon] = 0;
  stat[MemoryStat::workingset_refault_file] = 51'234;
  stat[MemoryStat::pgfault] = 40'617'280;
  stat[MemoryStat::pgmajfault] = 60;
  stat[MemoryStat::thp_fault_alloc] = 12'400;
  stat[MemoryStat::thp_collapse_alloc] = 310;
  return stat;
}

inline snapshot::UnitCgroup sample_cgroup() {
  using kernel::MemoryEvent;
  snapshot::UnitCgroup cgroup{snapshot::CgroupMemoryState::available, kSampleTime, kSampleTime - 20, {}};
  auto& memory = cgroup.memory.emplace();
  memory.current = 50 * kGiB + 512 * kMiB;
  memory.peak = 63 * kGiB + 900 * kMiB;
  memory.high = kernel::Limit{};
  memory.max = kernel::Limit{64 * kGiB};
  memory.swap_current = 128 * kMiB;
  memory.swap_max = kernel::Limit{};
  memory.oom_group = false;
  memory.stat = sample_stat(48 * kGiB, 2 * kGiB);
  memory.events[MemoryEvent::low] = 0;
  memory.events[MemoryEvent::high] = 0;
  memory.events[MemoryEvent::max] = 37;
  memory.events[MemoryEvent::oom] = 1;
  memory.events[MemoryEvent::oom_kill] = 1;
  memory.events[MemoryEvent::oom_group_kill] = 0;
  memory.pressure =
      kernel::Pressure{{0.12, 1.4, 0.9, 84'200'000}, kernel::PressureLine{0, 0.6, 0.4, 31'700'000}};
  memory.nodes[0] = sample_node_figures(38 * kGiB, kGiB + 512 * kMiB, 320 * kMiB);
  memory.nodes[1] = sample_node_figures(10 * kGiB, 512 * kMiB, 0);
  memory.effective_high = kernel::EffectiveLimit{};
  memory.effective_max = kernel::EffectiveLimit{kernel::Limit{60 * kGiB}, "/system.slice"};
  return cgroup;
}

// Its kernel has no memory.peak, and keeps no pressure.
inline snapshot::UnitCgroup sample_quiet_cgroup() {
  auto cgroup = sample_cgroup();
  auto& memory = *cgroup.memory;
  memory.current = 11 * kGiB;
  memory.peak.reset();
  memory.max = kernel::Limit{};
  memory.swap_current = 0;
  memory.stat = sample_stat(10 * kGiB, kGiB);
  for (const auto event : kernel::kMemoryEventNames.values()) memory.events[event] = 0;
  memory.pressure.reset();
  memory.pressure_is_off = true;
  memory.nodes = {{0, sample_node_figures(10 * kGiB, kGiB, 320 * kMiB)}, {1, sample_node_figures(0, 0, 0)}};
  memory.effective_max = kernel::EffectiveLimit{};
  memory.problems = {{"memory.peak", kernel::FileProblemKind::missing}};
  return cgroup;
}

inline snapshot::Locality sample_locality() {
  snapshot::Locality locality;
  locality.cpu_affinity = "0-31";
  locality.policy = snapshot::NumaPolicy::bind;
  locality.policy_nodes = {0};
  locality.cpu_nodes = {0};
  locality.gpu_nodes = {0};
  locality.off_cpus = locality.off_gpus = locality.off_policy = 0.21;
  locality.cpus_differ = 1;
  return locality;
}

inline kernel::SmapsRollup sample_smaps(snapshot::Bytes pss, snapshot::Bytes huge) {
  using kernel::SmapsKey;
  kernel::SmapsRollup smaps;
  smaps[SmapsKey::Rss] = pss + 64 * kMiB;
  smaps[SmapsKey::Pss] = pss;
  smaps[SmapsKey::Anonymous] = pss - 100 * kMiB;
  smaps[SmapsKey::AnonHugePages] = huge;
  smaps[SmapsKey::Private_Hugetlb] = 0;
  return smaps;
}

inline snapshot::ProcessCostly sample_process_costly() {
  return {
      kernel::CostlyKind::smaps_rollup, kSampleTime - 130, 0.0031, sample_smaps(kGiB + 600 * kMiB, kGiB), {}};
}

inline std::vector<snapshot::UnitCostly> sample_unit_costly() {
  using snapshot::CostlyState;
  snapshot::UnitCostly smaps{kernel::CostlyKind::smaps_rollup,
                             {{CostlyState::read, 3}, {CostlyState::too_large, 2}},
                             3,
                             kSampleTime - 420,
                             0.0031,
                             1.25,
                             412,
                             sample_smaps(5 * kGiB, 2 * kGiB),
                             {}};
  snapshot::UnitCostly maps{
      kernel::CostlyKind::numa_maps, {{CostlyState::waiting, 5}}, 0, 0, 0, 0, 0, {}, {}};
  return {smaps, maps};
}

inline node::Thp sample_thp() {
  node::Thp thp;
  thp.is_supported = true;
  thp.enabled = "always";
  thp.defrag = "madvise";
  thp.shmem_enabled = "never";
  thp.use_zero_page = true;
  thp.pmd_bytes = 2 * kMiB;
  thp.khugepaged = {{"alloc_sleep_millisecs", 60'000},
                    {"defrag", 1},
                    {"full_scans", 412},
                    {"max_ptes_none", 511},
                    {"max_ptes_shared", 256},
                    {"max_ptes_swap", 64},
                    {"pages_collapsed", 10'313},
                    {"pages_to_scan", 4096},
                    {"scan_sleep_millisecs", 10'000}};
  thp.sizes = {{64 * kKiB, "never", "never", {{"anon_fault_alloc", 0}, {"nr_anon", 0}}},
               {2 * kMiB,
                "inherit",
                "inherit",
                {{"anon_fault_alloc", 481'234}, {"anon_fault_fallback", 712}, {"nr_anon", 15'200}}}};
  thp.events = {{"thp_collapse_alloc", 10'313}, {"thp_collapse_alloc_failed", 4},
                {"thp_fault_alloc", 481'234},   {"thp_fault_fallback", 712},
                {"thp_split_page", 9'981},      {"thp_zero_page_alloc", 1}};
  return thp;
}

inline node::NumaNode sample_numa_node(unsigned id, const std::string& cpus, snapshot::Bytes free) {
  node::NumaNode node;
  node.id = id;
  node.has_cpu = node.has_memory = true;
  node.cpus = cpus;
  node.distances = {{0, id == 0 ? 10U : 21U}, {1, id == 1 ? 10U : 21U}};
  auto& memory = node.memory;
  memory.total = 256 * kGiB;
  memory.free = free;
  memory.used = 256 * kGiB - free;
  memory.anon = 120 * kGiB;
  memory.file = 60 * kGiB;
  memory.shmem = 2 * kGiB;
  memory.anon_huge = 90 * kGiB;
  memory.shmem_huge = memory.file_huge = 0;
  memory.slab_reclaimable = 3 * kGiB;
  memory.slab_unreclaimable = kGiB;
  memory.page_tables = 900 * kMiB;
  node.numastat = {{"interleave_hit", 8'120},
                   {"local_node", 912'345'678},
                   {"numa_foreign", id == 0 ? 7'100'200U : 0U},
                   {"numa_hit", 912'400'000},
                   {"numa_miss", id == 1 ? 7'100'200U : 0U},
                   {"other_node", 54'322}};
  return node;
}

inline node::NodeState sample_node_state() {
  node::NodeState state;
  state.thp = sample_thp();
  state.numa.balancing = 0;
  state.numa.nodes = {sample_numa_node(0, "0-31,64-95", 12 * kGiB),
                      sample_numa_node(1, "32-63,96-127", 96 * kGiB)};
  state.hugetlb.emplace();
  state.hugetlb->push_back({2 * kMiB, 4096, 512, 512, 0, 0, {{0, 4096, 512, 0}, {1, 0, 0, 0}}});
  state.hugetlb->push_back({kGiB, 0, 0, 0, 0, 0, {{0, 0, 0, 0}, {1, 0, 0, 0}}});
  state.iommu = {{{"intel_iommu=on", "iommu=pt"}},
                 true,
                 {{"identity", 142}, {"DMA-FQ", 3}},
                 145,
                 node::IommuMode::mixed};
  state.vm = {0, 50, 65'530, 10, 1024 * kMiB, 0, 918'400'000, 918'100'000};
  auto& memory = state.memory;
  memory.total = 512 * kGiB;
  memory.free = 108 * kGiB;
  memory.available = 214 * kGiB;
  memory.cached = 118 * kGiB;
  memory.anon = 240 * kGiB;
  memory.shmem = 4 * kGiB;
  memory.mlocked = 48 * kGiB;
  memory.swap_total = memory.swap_free = 0;
  memory.commit_limit = 260 * kGiB;
  memory.committed = 402 * kGiB;
  memory.anon_huge = 180 * kGiB;
  memory.shmem_huge = memory.file_huge = 0;
  memory.hugetlb = 8 * kGiB;
  memory.page_tables = kGiB + 800 * kMiB;
  memory.pressure =
      kernel::Pressure{{0, 0.08, 0.11, 91'000'000}, kernel::PressureLine{0, 0.02, 0.05, 33'000'000}};
  state.problems = {
      {"/sys/kernel/mm/transparent_hugepage/shrink_underused", node::ProblemKind::missing,
       "No such file or directory"},
      {"/sys/kernel/iommu_groups/7/type", node::ProblemKind::not_permitted, "Permission denied"}};
  return state;
}

inline snapshot::Node sample_node() {
  snapshot::Node node{true, kSampleTime - 25, 60, 0.0021, sample_node_state(), {}};
  using node::ExpectationState;
  node.expectations = {{"thp.enabled", "madvise", "always", ExpectationState::missed},
                       {"thp.shrink_underused", "0", "absent", ExpectationState::met},
                       {"numa_balancing", "0", "0", ExpectationState::met},
                       {"iommu", "passthrough", "mixed", ExpectationState::missed},
                       {"max_map_count", ">=65530", "65530", ExpectationState::met},
                       {"hugepages.2M", ">=1024", "4096", ExpectationState::met}};
  return node;
}

inline std::vector<snapshot::ModelFiles> sample_model_files() {
  snapshot::ModelFiles vllm;
  vllm.service = "vllm";
  vllm.patterns = {"/srv/models/llama-70b/*.safetensors"};
  vllm.read_at = kSampleTime - 140;
  vllm.interval = 300;
  vllm.duration = 0.011;
  vllm.figures.search.files = vllm.figures.files = 30;
  vllm.figures.bytes = 141 * kGiB;
  vllm.figures.cached = 94 * kGiB;
  vllm.figures.evicted = 21 * kGiB;
  vllm.figures.recently_evicted = 4 * kGiB;
  snapshot::ModelFiles sglang;
  sglang.service = "sglang";
  sglang.patterns = {"/home/models/**"};
  sglang.read_at = kSampleTime - 140;
  sglang.interval = 300;
  sglang.duration = 0.001;
  sglang.figures.search.not_permitted = 1;
  return {sglang, vllm};
}

// Every process may run where its unit says but the worker of pid 4105; nobody has switched huge pages off
// but pid 4103.
inline snapshot::Placement sample_placement(std::int32_t pid) {
  snapshot::Placement placement{pid != 4103, pid == 4105 ? "32-63" : "0-31", "0-1", {}};
  if (pid >= 4104) placement.gpus = {pid == 4104 ? "nvidia0" : "nvidia1"};
  return placement;
}

inline void add_vllm_memory(snapshot::Unit& unit) {
  unit.cgroup = sample_cgroup();
  unit.locality = sample_locality();
  unit.costly = sample_unit_costly();
  for (auto& process : unit.processes) process.placement = sample_placement(process.pid);
  unit.processes[1].costly = {sample_process_costly()};
}

inline void add_sglang_memory(snapshot::Unit& unit) {
  unit.cgroup = sample_quiet_cgroup();
  unit.locality.cpu_nodes = {0};
  unit.locality.off_cpus = 0;
  for (auto& process : unit.processes) process.placement = {true, "0-31,64-95", "0-1", {}};
}

}  // namespace allocd::test
