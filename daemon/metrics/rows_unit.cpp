// SPDX-License-Identifier: Apache-2.0
// Metrics with the label `unit`, and those with `unit` and `role`.
#include <algorithm>
#include <iterator>
#include <map>

#include "metrics/rows.hpp"

namespace allocd::metrics {
namespace {

using snapshot::Memory;
using snapshot::RoleSum;
using snapshot::Unit;

constexpr Type kGauge = Type::gauge;
constexpr Type kCounter = Type::counter;

template <auto Member>
void unit_number(const Unit& unit, const Sink& out) {
  out.add(unit.*Member);
}
template <auto Member>
void role_number(const RoleSum& role, const Sink& out) {
  out.add(role.*Member);
}
template <auto Member>
void role_memory(const RoleSum& role, const Sink& out) {
  out.add(role.memory.*Member);
}

// Figures that come with the memory map say nothing while no map of the role has been read: every process
// has mappings, so a maximum of 0 is that case.
template <auto Member>
void role_evidence(const RoleSum& role, const Sink& out) {
  if (role.max_mappings > 0) out.add(role.*Member);
}

// One series per value that is not 0, and per value that is always shown.
template <typename Enum, std::size_t Count, std::size_t Always>
void count_by(const Sink& out, std::string_view label, const base::EnumNames<Enum, Count>& names,
              const std::map<Enum, std::uint32_t>& counts, const Enum (&always)[Always]) {
  for (const Enum value : names.values()) {
    const auto found = counts.find(value);
    const std::uint32_t count = found == counts.end() ? 0 : found->second;
    if (count > 0 || std::ranges::find(always, value) != std::end(always)) {
      out.add(count, {{label, names.name(value)}});
    }
  }
}

// One series per value that is not 0.
template <typename Enum, std::size_t Count>
void count_present(const Sink& out, std::string_view label, const base::EnumNames<Enum, Count>& names,
                   const std::map<Enum, std::uint32_t>& counts) {
  for (const auto& [value, count] : counts) {
    if (count > 0) out.add(count, {{label, names.name(value)}});
  }
}

// systemd's word for the unit, "" when it has not been heard or is one we do not know. A masked or deleted
// unit may still run: its processes matter more than its file.
std::string_view active_state(const Unit& unit) {
  if (unit.active_state == "refreshing")
    return "reloading";  // systemd 257: a reload of mounts and credentials
  const bool down = unit.active_state.empty() || unit.active_state == "inactive";
  if (down && unit.load_state == "masked") return "masked";
  if (down && unit.load_state == "not-found") return "absent";
  const auto* const known = std::ranges::find(kActiveStates, std::string_view(unit.active_state));
  return known == std::end(kActiveStates) ? std::string_view() : *known;
}

void active_states(const Unit& unit, const Sink& out) {
  const std::string_view current = active_state(unit);
  if (current.empty()) return;
  for (const std::string_view state : kActiveStates) out.add(state == current ? 1 : 0, {{"state", state}});
}

void policy_states(const Unit& unit, const Sink& out) {
  for (const policy::State state : policy::kStateNames.values()) {
    out.add(state == unit.assessment.state ? 1 : 0, {{"state", policy::kStateNames.name(state)}});
  }
}

void unit_info(const Unit& unit, const Sink& out) {
  out.add(1, {{"engine", engine::kEngineNames.name(unit.engine)},
              {"policy", unit.service},
              {"source", settings::kSelectorKindNames.name(unit.source)},
              {"wanted", settings::kWantedNames.name(unit.wanted)}});
}

// Whether there is anything to say of a drop-in: something is asked for, or one lies there all the same.
bool is_drop_in_of_interest(const Unit& unit) {
  return unit.source == settings::SelectorKind::unit &&
         (unit.wanted != settings::Wanted::any || unit.drop_in.state != policy::DropInState::absent);
}

void drop_in_intact(const Unit& unit, const Sink& out) {
  const bool is_unknown = unit.drop_in.state == policy::DropInState::unreadable;
  if (is_drop_in_of_interest(unit) && !is_unknown) out.add(unit.drop_in.state == policy::DropInState::intact);
}

void drop_in_states(const Unit& unit, const Sink& out) {
  if (!is_drop_in_of_interest(unit)) return;
  for (const auto state : policy::kDropInStateNames.values()) {
    out.add(state == unit.drop_in.state ? 1 : 0, {{"state", policy::kDropInStateNames.name(state)}});
  }
}

void modes(const Unit& unit, const Sink& out) {
  for (const auto mode : settings::kModeNames.values()) {
    out.add(mode == unit.mode ? 1 : 0, {{"mode", settings::kModeNames.name(mode)}});
  }
}

constexpr Row kUnitRows[] = {
    {{"allocd_unit_up", kGauge, Scope::unit, "unit",
      "1 if the unit has processes and they could be listed; a configured unit that is down or absent has 0",
      "cgroup.procs of the unit"},
     [](const Unit& u, const Sink& out) { out.add(u.up); }},
    {{"allocd_unit_info", kGauge, Scope::unit, "unit,engine,policy,source,wanted",
      "1, with the engine seen, the service of the configuration that selects the unit (empty: found by "
      "itself), the kind of selector and the allocator asked for",
      "command line of the unit, configuration"},
     unit_info},
    {{"allocd_unit_active_state", kGauge, Scope::unit, "unit,state",
      "1 for the state the unit is in, 0 for the others; no sample while systemd cannot be asked",
      "ActiveState and LoadState of systemd"},
     active_states},
    {{"allocd_unit_policy_state", kGauge, Scope::unit, "unit,state",
      "1 for the state of the unit against its policy, 0 for the others", "assessment of the observer"},
     policy_states},
    {{"allocd_unit_policy_reason", kGauge, Scope::unit, "unit,reason",
      "1, with the reason for the policy state; the reason of the moment alone has a series",
      "assessment of the observer"},
     [](const Unit& u, const Sink& out) {
       out.add(1, {{"reason", policy::kReasonNames.name(u.assessment.reason)}});
     }},
    {{"allocd_unit_pending_restart_seconds", kGauge, Scope::unit, "unit",
      "For how long a restart has been due for the policy to be taken up; 0 while none is; no sample while "
      "the "
      "state is not known",
      "times of the unit's files and of its processes"},
     [](const Unit& u, const Sink& out) {
       if (u.assessment.state != policy::State::unknown) out.add(u.pending_restart_seconds);
     }},
    {{"allocd_unit_enforcement_mode", kGauge, Scope::unit, "unit,mode",
      "1 for what is done about the policy of the unit, 0 for the other", "mode in the configuration"},
     modes},
    {{"allocd_unit_drop_in_intact", kGauge, Scope::unit, "unit",
      "1 if allocd's drop-in of the unit is on disk as it was written, 0 if it is absent, edited or "
      "another's; "
      "no sample where nothing is asked for or it cannot be read",
      "zz-allocd.conf of the unit"},
     drop_in_intact},
    {{"allocd_unit_drop_in_state", kGauge, Scope::unit, "unit,state",
      "1 for the state of allocd's drop-in on disk, 0 for the others; no sample where nothing is asked for",
      "zz-allocd.conf of the unit"},
     drop_in_states},
    {{"allocd_unit_restarts_total", kCounter, Scope::unit, "unit",
      "Automatic restarts by systemd; no sample while systemd cannot be asked", "NRestarts of systemd"},
     [](const Unit& u, const Sink& out) {
       if (!active_state(u).empty()) out.add(u.restarts);
     }},
    {{"allocd_unit_start_time_seconds", kGauge, Scope::unit, "unit",
      "When the unit last became active; no sample if it never did", "ActiveEnterTimestamp of systemd"},
     [](const Unit& u, const Sink& out) {
       if (u.started_at > 0) out.add(u.started_at);
     }},
    {{"allocd_unit_processes_seen_total", kCounter, Scope::unit, "unit",
      "Different processes seen since the observer started", "cgroup.procs, field 22 of /proc/PID/stat"},
     unit_number<&Unit::processes_seen>},
    {{"allocd_unit_processes_vanished_total", kCounter, Scope::unit, "unit",
      "Processes that were gone before they were read, since the observer started", "the observer"},
     unit_number<&Unit::processes_vanished>},
    {{"allocd_unit_processes_dropped", kGauge, Scope::unit, "unit",
      "Processes left out of the last sample for being too many", "observe.max_processes_per_unit"},
     unit_number<&Unit::processes_dropped>},
    {{"allocd_unit_permission_errors", kGauge, Scope::unit, "unit",
      "Processes that could not be read in the last sample for want of rights", "EPERM and EACCES"},
     unit_number<&Unit::permission_errors>},
    {{"allocd_unit_evidence_pending", kGauge, Scope::unit, "unit",
      "Processes whose allocator has not been looked for yet", "the observer"},
     unit_number<&Unit::evidence_pending>},
};

constexpr Row kRoleRows[] = {
    {{"allocd_unit_processes", kGauge, Scope::role, "unit,role", "Processes", "cgroup.procs of the unit"},
     role_number<&RoleSum::processes>},
    {{"allocd_unit_memory_resident_bytes", kGauge, Scope::role, "unit,role",
      "Resident memory, summed over processes: pages they share count once for each",
      "VmRSS in /proc/PID/status"},
     role_memory<&Memory::resident>},
    {{"allocd_unit_memory_resident_max_bytes", kGauge, Scope::role, "unit,role",
      "Resident memory of the largest process", "VmRSS in /proc/PID/status"},
     role_number<&RoleSum::max_resident>},
    {{"allocd_unit_memory_anonymous_bytes", kGauge, Scope::role, "unit,role",
      "Resident anonymous memory, summed", "RssAnon in /proc/PID/status"},
     role_memory<&Memory::anonymous>},
    {{"allocd_unit_memory_file_bytes", kGauge, Scope::role, "unit,role", "Resident file mappings, summed",
      "RssFile in /proc/PID/status"},
     role_memory<&Memory::file>},
    {{"allocd_unit_memory_shared_bytes", kGauge, Scope::role, "unit,role",
      "Resident shared memory (shmem, tmpfs), summed", "RssShmem in /proc/PID/status"},
     role_memory<&Memory::shared>},
    {{"allocd_unit_memory_swap_bytes", kGauge, Scope::role, "unit,role",
      "Swapped-out anonymous memory, summed", "VmSwap in /proc/PID/status"},
     role_memory<&Memory::swap>},
    {{"allocd_unit_memory_peak_resident_bytes", kGauge, Scope::role, "unit,role",
      "Sum of each process's own peak: the peaks need not have been at one moment",
      "VmHWM in /proc/PID/status"},
     role_memory<&Memory::peak_resident>},
    {{"allocd_unit_memory_locked_bytes", kGauge, Scope::role, "unit,role", "Locked memory, summed",
      "VmLck in /proc/PID/status"},
     role_memory<&Memory::locked>},
    {{"allocd_unit_memory_pinned_bytes", kGauge, Scope::role, "unit,role", "Pinned memory, summed",
      "VmPin in /proc/PID/status"},
     role_memory<&Memory::pinned>},
    {{"allocd_unit_memory_page_tables_bytes", kGauge, Scope::role, "unit,role", "Page tables, summed",
      "VmPTE in /proc/PID/status"},
     role_memory<&Memory::page_tables>},
    {{"allocd_unit_memory_hugetlb_bytes", kGauge, Scope::role, "unit,role",
      "Memory in reserved huge pages, summed; the kernel does not count it as resident",
      "HugetlbPages in /proc/PID/status"},
     role_memory<&Memory::hugetlb>},
    {{"allocd_unit_threads", kGauge, Scope::role, "unit,role", "Threads", "Threads in /proc/PID/status"},
     role_number<&RoleSum::threads>},
    {{"allocd_unit_page_faults", kGauge, Scope::role, "unit,role,kind",
      "Page faults in the lives of the processes that live now; a gauge, for it falls when one of them exits",
      "fields 10 (minor) and 12 (major) of /proc/PID/stat"},
     [](const RoleSum& r, const Sink& out) {
       out.add(r.minor_faults, {{"kind", "minor"}});
       out.add(r.major_faults, {{"kind", "major"}});
     }},
    {{"allocd_unit_mappings_max", kGauge, Scope::role, "unit,role",
      "Mappings of the process that has most; no sample until a memory map has been read",
      "lines of /proc/PID/maps"},
     role_evidence<&RoleSum::max_mappings>},
    {{"allocd_unit_glibc_heaps", kGauge, Scope::role, "unit,role",
      "Heaps of glibc arenas other than the main one, summed; no sample until a memory map has been read",
      "64 MiB-aligned mappings in /proc/PID/maps"},
     role_evidence<&RoleSum::glibc_heaps>},
    {{"allocd_unit_jemalloc_background_threads", kGauge, Scope::role, "unit,role",
      "Background threads of jemalloc, summed; no sample until a memory map has been read",
      "thread names in /proc/PID/task"},
     role_evidence<&RoleSum::jemalloc_background_threads>},
    {{"allocd_unit_processes_by_allocator", kGauge, Scope::role, "unit,role,allocator",
      "Processes by the allocator that malloc resolves to", "link map of the process"},
     [](const RoleSum& r, const Sink& out) {
       count_by(out, "allocator", allocator::kKindNames, r.active, kAlwaysShownAllocators);
     }},
    {{"allocd_unit_processes_allocator_idle", kGauge, Scope::role, "unit,role,allocator",
      "Processes that have this allocator mapped while malloc resolves to another one",
      "link map of the process, /proc/PID/maps"},
     [](const RoleSum& r, const Sink& out) {
       count_by(out, "allocator", allocator::kKindNames, r.mapped_not_active, kAlwaysShownIdleAllocators);
     }},
    {{"allocd_unit_processes_allocator_embedded", kGauge, Scope::role, "unit,role,allocator",
      "Processes whose program has this allocator compiled in under hidden names: whether it is used cannot "
      "be "
      "proved from outside",
      "text of the program file"},
     [](const RoleSum& r, const Sink& out) {
       count_present(out, "allocator", allocator::kKindNames, r.embedded);
     }},
    {{"allocd_unit_processes_by_evidence", kGauge, Scope::role, "unit,role,rung",
      "Processes by how well their allocator is known: not at all (none), by names in the memory map, by "
      "text in "
      "a static program (fingerprint), by the dynamic linker's own order (resolved)",
      "the observer"},
     [](const RoleSum& r, const Sink& out) {
       count_by(out, "rung", allocator::kRungNames, r.rungs, kAlwaysShownRungs);
     }},
    {{"allocd_unit_processes_thp_disabled", kGauge, Scope::role, "unit,role",
      "Processes that have transparent huge pages switched off for themselves; not counted before Linux 5.0",
      "THP_enabled in /proc/PID/status"},
     role_number<&RoleSum::thp_disabled>},
    {{"allocd_unit_processes_library_off_disk", kGauge, Scope::role, "unit,role",
      "Processes with an allocator library that was deleted or replaced on disk; no sample until a memory "
      "map "
      "has been read",
      "file of the mapping against /proc/PID/maps"},
     role_evidence<&RoleSum::libraries_off_disk>},
    {{"allocd_unit_processes_by_state", kGauge, Scope::role, "unit,role,state",
      "Processes by their state against the policy", "assessment of the observer"},
     [](const RoleSum& r, const Sink& out) {
       count_by(out, "state", policy::kStateNames, r.states, kAlwaysShownProcessStates);
     }},
};

}  // namespace

std::span<const Row> unit_rows() {
  return kUnitRows;
}
std::span<const Row> role_rows() {
  return kRoleRows;
}

}  // namespace allocd::metrics
