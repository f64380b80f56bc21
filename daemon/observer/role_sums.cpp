// SPDX-License-Identifier: Apache-2.0
#include "observer/role_sums.hpp"

#include <algorithm>
#include <map>

namespace allocd::observer {

namespace {

void add_memory(snapshot::Memory& sum, const snapshot::Memory& one) {
  using snapshot::Memory;
  for (const auto member :
       {&Memory::resident, &Memory::anonymous, &Memory::file, &Memory::shared, &Memory::swap,
        &Memory::peak_resident, &Memory::locked, &Memory::pinned, &Memory::page_tables, &Memory::hugetlb}) {
    sum.*member += one.*member;
  }
}

void add_evidence(snapshot::RoleSum& sum, const snapshot::Evidence& evidence) {
  using allocator::LibraryState;
  using allocator::OnDisk;
  ++sum.active[evidence.active];
  ++sum.rungs[evidence.rung];
  sum.max_mappings = std::max(sum.max_mappings, evidence.mappings.value_or(0));
  sum.glibc_heaps += evidence.glibc_heaps.value_or(0);
  sum.jemalloc_background_threads += evidence.jemalloc_background_threads.value_or(0);
  bool off_disk = false;
  std::map<allocator::Kind, bool> idle;
  std::map<allocator::Kind, bool> embedded;
  for (const auto& library : evidence.libraries) {
    if (library.state == LibraryState::mapped_not_active) idle[library.kind] = true;
    if (library.state == LibraryState::embedded) embedded[library.kind] = true;
    off_disk = off_disk || library.on_disk == OnDisk::deleted || library.on_disk == OnDisk::replaced;
  }
  for (const auto& [kind, seen] : idle) ++sum.mapped_not_active[kind];
  for (const auto& [kind, seen] : embedded) ++sum.embedded[kind];
  if (off_disk) ++sum.libraries_off_disk;
}

}  // namespace

std::vector<snapshot::RoleSum> sum_roles(const std::vector<snapshot::Process>& processes) {
  std::map<engine::Role, snapshot::RoleSum> sums;
  for (const auto& process : processes) {
    snapshot::RoleSum& sum = sums[process.role];
    sum.role = process.role;
    ++sum.processes;
    add_memory(sum.memory, process.memory);
    sum.max_resident = std::max(sum.max_resident, process.memory.resident);
    sum.threads += process.threads;
    sum.minor_faults += process.minor_faults;
    sum.major_faults += process.major_faults;
    ++sum.states[process.state];
    if (process.placement.thp_enabled == false) ++sum.thp_disabled;
    add_evidence(sum, process.evidence);
  }
  std::vector<snapshot::RoleSum> ordered;
  ordered.reserve(sums.size());
  for (auto& [role, sum] : sums) ordered.push_back(std::move(sum));
  return ordered;
}

}  // namespace allocd::observer
