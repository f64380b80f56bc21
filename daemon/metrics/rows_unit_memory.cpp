// SPDX-License-Identifier: Apache-2.0
// Metrics of a unit's memory beyond the sums of its processes: its control group, its place, costly reads.
#include <initializer_list>
#include <limits>
#include <string>

#include "metrics/rows.hpp"

namespace allocd::metrics {
namespace {

using kernel::CgroupMemory;
using kernel::CostlyKind;
using kernel::MemoryStat;
using kernel::NodeKind;
using kernel::SmapsKey;
using snapshot::CgroupMemoryState;
using snapshot::Unit;
using snapshot::UnitCostly;

constexpr Type kGauge = Type::gauge;
constexpr Type kCounter = Type::counter;
constexpr double kMicroseconds = 1e6;

template <std::optional<std::uint64_t> CgroupMemory::* Member>
void figure(const Unit& unit, const Sink& out) {
  if (unit.cgroup.memory) out.add((*unit.cgroup.memory).*Member);
}

template <MemoryStat Key>
void stat(const Unit& unit, const Sink& out) {
  if (unit.cgroup.memory) out.add(unit.cgroup.memory->stat[Key]);
}

// Some figures of memory.stat under a label of their own.
struct NamedStat {
  std::string_view label;
  MemoryStat key;
};
void stats(const Unit& unit, const Sink& out, std::string_view label, std::initializer_list<NamedStat> list) {
  if (!unit.cgroup.memory) return;
  for (const auto& one : list) out.add(unit.cgroup.memory->stat[one.key], {{label, one.label}});
}

// "max" is no limit, which is a figure; what was not read is none.
void limit(const Sink& out, std::string_view name, const std::optional<kernel::Limit>& limit) {
  if (!limit) return;
  const double bytes =
      limit->is_unlimited() ? std::numeric_limits<double>::infinity() : static_cast<double>(limit->bytes);
  out.add(bytes, {{"limit", name}});
}

void limits(const Unit& unit, const Sink& out) {
  if (!unit.cgroup.memory) return;
  limit(out, "high", unit.cgroup.memory->high);
  limit(out, "max", unit.cgroup.memory->max);
  limit(out, "swap_max", unit.cgroup.memory->swap_max);
}

void effective_limits(const Unit& unit, const Sink& out) {
  const auto& memory = unit.cgroup.memory;
  if (memory && memory->effective_high) limit(out, "high", memory->effective_high->limit);
  if (memory && memory->effective_max) limit(out, "max", memory->effective_max->limit);
}

void events(const Unit& unit, const Sink& out) {
  if (!unit.cgroup.memory) return;
  for (const auto event : kernel::kMemoryEventNames.values()) {
    out.add(unit.cgroup.memory->events[event], {{"event", kernel::kMemoryEventNames.name(event)}});
  }
}

std::optional<double> seconds_of(const std::optional<kernel::PressureLine>& line) {
  if (!line) return std::nullopt;
  return static_cast<double>(line->total_microseconds) / kMicroseconds;
}

void pressure_waiting(const Unit& unit, const Sink& out) {
  const auto& memory = unit.cgroup.memory;
  if (memory && memory->pressure) out.add(seconds_of(memory->pressure->some));
}

void pressure_stalled(const Unit& unit, const Sink& out) {
  const auto& memory = unit.cgroup.memory;
  if (memory && memory->pressure) out.add(seconds_of(memory->pressure->full));
}

void on_nodes(const Unit& unit, const Sink& out) {
  if (!unit.cgroup.memory) return;
  for (const auto& [id, figures] : unit.cgroup.memory->nodes) {
    const std::string node = std::to_string(id);
    out.add(figures[NodeKind::anon], {{"node", node}, {"kind", "anon"}});
    out.add(figures[NodeKind::file], {{"node", node}, {"kind", "file"}});
    const auto& reclaimable = figures[NodeKind::slab_reclaimable];
    const auto& unreclaimable = figures[NodeKind::slab_unreclaimable];
    if (reclaimable && unreclaimable) {
      out.add(*reclaimable + *unreclaimable, {{"node", node}, {"kind", "slab"}});
    }
  }
}

void shmem_on_nodes(const Unit& unit, const Sink& out) {
  if (!unit.cgroup.memory) return;
  for (const auto& [id, figures] : unit.cgroup.memory->nodes) {
    const std::string node = std::to_string(id);
    out.add(figures[NodeKind::shmem], {{"node", node}});
  }
}

void off_node(const Unit& unit, const Sink& out) {
  const auto share = [&](std::string_view of, const std::optional<double>& value) {
    if (value) out.add(*value, {{"of", of}});
  };
  share("cpus", unit.locality.off_cpus);
  share("gpus", unit.locality.off_gpus);
  share("policy", unit.locality.off_policy);
}

// Only where the unit file asks for a place: else there is nothing to differ from.
void placement_differs(const Unit& unit, const Sink& out) {
  const auto& locality = unit.locality;
  if (!locality.cpu_affinity.empty()) out.add(locality.cpus_differ, {{"what", "cpus"}});
  if (!locality.policy_nodes.empty()) out.add(locality.mems_differ, {{"what", "memory_nodes"}});
}

const UnitCostly* costly_of(const Unit& unit, CostlyKind kind) {
  for (const auto& costly : unit.costly) {
    if (costly.kind == kind) return &costly;
  }
  return nullptr;
}

template <SmapsKey Key>
void smaps(const Unit& unit, const Sink& out) {
  const auto* const costly = costly_of(unit, CostlyKind::smaps_rollup);
  if (costly != nullptr && costly->processes > 0) out.add(costly->smaps[Key]);
}

void numa_maps(const Unit& unit, const Sink& out) {
  const auto* const costly = costly_of(unit, CostlyKind::numa_maps);
  if (costly == nullptr || costly->processes == 0) return;
  for (const auto& [id, figures] : costly->nodes) {
    const std::string node = std::to_string(id);
    for (const auto kind : kernel::kPageKindNames.values()) {
      out.add(figures[kind], {{"node", node}, {"kind", kernel::kPageKindNames.name(kind)}});
    }
  }
}

// One sample for each kind of costly reading that the settings ask for; a kind named twice counts once.
void for_each_costly(const Unit& unit, auto&& visit) {
  for (const auto kind : kernel::kCostlyKindNames.values()) {
    const auto* const costly = costly_of(unit, kind);
    if (costly != nullptr) visit(*costly, kernel::kCostlyKindNames.name(kind));
  }
}

template <auto Member>
void costly_number(const Unit& unit, const Sink& out) {
  for_each_costly(unit, [&](const UnitCostly& costly, std::string_view read) {
    out.add(costly.*Member, {{"read", read}});
  });
}

// While nothing was read there is no duration, and no age.
template <auto Member>
void costly_moment(const Unit& unit, const Sink& out) {
  for_each_costly(unit, [&](const UnitCostly& costly, std::string_view read) {
    if (costly.*Member > 0) out.add(costly.*Member, {{"read", read}});
  });
}

void costly_states(const Unit& unit, const Sink& out) {
  for_each_costly(unit, [&](const UnitCostly& costly, std::string_view read) {
    for (const auto state : snapshot::kCostlyStateNames.values()) {
      const auto found = costly.states.find(state);
      const std::uint32_t count = found == costly.states.end() ? 0 : found->second;
      out.add(count, {{"read", read}, {"state", snapshot::kCostlyStateNames.name(state)}});
    }
  });
}

constexpr Row kRows[] = {
    {{"allocd_unit_cgroup_memory_available", kGauge, Scope::unit, "unit",
      "1 if the kernel accounts for the memory of the unit's control group; 0: the sums over processes stand "
      "alone; no sample while it has none",
      "cgroup.controllers of the unit"},
     [](const Unit& u, const Sink& out) {
       if (u.cgroup.state != CgroupMemoryState::not_read) out.add(u.cgroup.memory.has_value());
     }},
    {{"allocd_unit_cgroup_memory_absent_reason", kGauge, Scope::unit, "unit,reason",
      "1, with the reason why there are no figures of the control group; no sample while there are",
      "cgroup.controllers of the unit"},
     [](const Unit& u, const Sink& out) {
       const bool is_plain = u.cgroup.memory || u.cgroup.state == CgroupMemoryState::not_read;
       if (is_plain) return;
       out.add(1, {{"reason", snapshot::kCgroupMemoryStateNames.name(u.cgroup.state)}});
     }},
    {{"allocd_unit_cgroup_memory_current_bytes", kGauge, Scope::unit, "unit",
      "Memory charged to the unit: of its processes, page cache and kernel memory, each page once",
      "memory.current"},
     figure<&CgroupMemory::current>},
    {{"allocd_unit_cgroup_memory_peak_bytes", kGauge, Scope::unit, "unit",
      "The most that was charged to the unit since it started; no sample before Linux 5.19", "memory.peak"},
     figure<&CgroupMemory::peak>},
    {{"allocd_unit_cgroup_swap_current_bytes", kGauge, Scope::unit, "unit", "Swap charged to the unit",
      "memory.swap.current"},
     figure<&CgroupMemory::swap_current>},
    {{"allocd_unit_cgroup_memory_limit_bytes", kGauge, Scope::unit, "unit,limit",
      "Limits of the unit's own control group; +Inf: none", "memory.high, memory.max, memory.swap.max"},
     limits},
    {{"allocd_unit_cgroup_memory_effective_limit_bytes", kGauge, Scope::unit, "unit,limit",
      "The smallest such limit of the control group and all above it; +Inf: none; no sample when one of them "
      "could not be read",
      "memory.high and memory.max up to the root"},
     effective_limits},
    {{"allocd_unit_cgroup_memory_kind_bytes", kGauge, Scope::unit, "unit,kind",
      "Memory charged to the unit, by kind; file includes shared memory", "memory.stat"},
     [](const Unit& u, const Sink& out) {
       stats(u, out, "kind",
             {{"anon", MemoryStat::anon},
              {"file", MemoryStat::file},
              {"slab", MemoryStat::slab},
              {"pagetables", MemoryStat::pagetables}});
     }},
    {{"allocd_unit_cgroup_memory_shmem_bytes", kGauge, Scope::unit, "unit",
      "Shared memory (shmem, tmpfs) charged to the unit; a part of file", "shmem in memory.stat"},
     stat<MemoryStat::shmem>},
    {{"allocd_unit_cgroup_memory_thp_bytes", kGauge, Scope::unit, "unit,kind",
      "Memory in transparent huge pages of the largest size, a part of its kind",
      "anon_thp, file_thp and shmem_thp in memory.stat"},
     [](const Unit& u, const Sink& out) {
       stats(u, out, "kind",
             {{"anon", MemoryStat::anon_thp},
              {"file", MemoryStat::file_thp},
              {"shmem", MemoryStat::shmem_thp}});
     }},
    {{"allocd_unit_cgroup_memory_inactive_file_bytes", kGauge, Scope::unit, "unit",
      "Page cache that is reclaimed first: current without it is what is really needed",
      "inactive_file in memory.stat"},
     stat<MemoryStat::inactive_file>},
    {{"allocd_unit_cgroup_thp_allocations_total", kCounter, Scope::unit, "unit,kind",
      "Transparent huge pages allocated by a fault, and by khugepaged",
      "thp_fault_alloc and thp_collapse_alloc in memory.stat"},
     [](const Unit& u, const Sink& out) {
       stats(u, out, "kind",
             {{"fault", MemoryStat::thp_fault_alloc}, {"collapse", MemoryStat::thp_collapse_alloc}});
     }},
    {{"allocd_unit_cgroup_refaults_total", kCounter, Scope::unit, "unit,kind",
      "Pages that were evicted and were needed again soon after", "workingset_refault_* in memory.stat"},
     [](const Unit& u, const Sink& out) {
       stats(u, out, "kind",
             {{"anon", MemoryStat::workingset_refault_anon}, {"file", MemoryStat::workingset_refault_file}});
     }},
    {{"allocd_unit_cgroup_major_faults_total", kCounter, Scope::unit, "unit",
      "Page faults that had to read from a disk, those of processes that have ended too",
      "pgmajfault in memory.stat"},
     stat<MemoryStat::pgmajfault>},
    {{"allocd_unit_cgroup_memory_events_total", kCounter, Scope::unit, "unit,event",
      "How often the unit met a limit, and how often the kernel killed in it", "memory.events"},
     events},
    {{"allocd_unit_memory_pressure_waiting_seconds_total", kCounter, Scope::unit, "unit",
      "Time in which at least one task of the unit waited for memory; no sample while the kernel keeps no "
      "account of it",
      "some in memory.pressure"},
     pressure_waiting},
    {{"allocd_unit_memory_pressure_stalled_seconds_total", kCounter, Scope::unit, "unit",
      "Time in which all tasks of the unit waited for memory", "full in memory.pressure"},
     pressure_stalled},
    {{"allocd_unit_cgroup_memory_numa_bytes", kGauge, Scope::unit, "unit,node,kind",
      "Memory charged to the unit, by NUMA node and kind", "memory.numa_stat"},
     on_nodes},
    {{"allocd_unit_cgroup_memory_numa_shmem_bytes", kGauge, Scope::unit, "unit,node",
      "Shared memory charged to the unit, by NUMA node; a part of file", "shmem in memory.numa_stat"},
     shmem_on_nodes},
    {{"allocd_unit_memory_off_node_ratio", kGauge, Scope::unit, "unit,of",
      "Share of the unit's memory that is on none of the NUMA nodes of its CPUs, of its GPUs, of its "
      "NUMAPolicy=; no sample where that is not known or there is no other node",
      "memory.numa_stat against Cpus_allowed, PCI numa_node and the unit file"},
     off_node},
    {{"allocd_unit_processes_placement_differs", kGauge, Scope::unit, "unit,what",
      "Processes that may run or allocate elsewhere than the unit file says; no sample where it says nothing",
      "Cpus_allowed and Mems_allowed against CPUAffinity= and NUMAMask="},
     placement_differs},
    {{"allocd_unit_memory_pss_bytes", kGauge, Scope::unit, "unit",
      "Resident memory with shared pages divided among their sharers, of the processes read; opt-in",
      "Pss in /proc/PID/smaps_rollup; some 6.1 kernels leave out huge pages while NUMA balancing tries them"},
     smaps<SmapsKey::Pss>},
    {{"allocd_unit_memory_anon_huge_bytes", kGauge, Scope::unit, "unit",
      "Anonymous memory in transparent huge pages, of the processes read; opt-in",
      "AnonHugePages in /proc/PID/smaps_rollup; too low on some 6.1 kernels, as pss"},
     smaps<SmapsKey::AnonHugePages>},
    {{"allocd_unit_numa_maps_bytes", kGauge, Scope::unit, "unit,node,kind",
      "Resident memory by NUMA node and kind of mapping, of the processes read; opt-in",
      "pages by node in /proc/PID/numa_maps"},
     numa_maps},
    {{"allocd_unit_costly_read_duration_seconds", kGauge, Scope::unit, "unit,read",
      "How long the last such read of one process took, all of it inside the process's memory lock at worst",
      "clock of the observer"},
     costly_moment<&UnitCostly::last_seconds>},
    {{"allocd_unit_costly_read_seconds_total", kCounter, Scope::unit, "unit,read",
      "Time such reads have taken", "clock of the observer"},
     costly_number<&UnitCostly::seconds_total>},
    {{"allocd_unit_costly_reads_total", kCounter, Scope::unit, "unit,read", "Such reads", "the observer"},
     costly_number<&UnitCostly::reads>},
    {{"allocd_unit_costly_oldest_read_timestamp_seconds", kGauge, Scope::unit, "unit,read",
      "When the oldest of the figures in the sums was read", "clock of the observer"},
     costly_moment<&UnitCostly::oldest_read_at>},
    {{"allocd_unit_costly_processes", kGauge, Scope::unit, "unit,read,state",
      "Processes by how far such a read of them has come", "the observer"},
     costly_states},
};

}  // namespace

std::span<const Row> unit_memory_rows() {
  return kRows;
}

}  // namespace allocd::metrics
