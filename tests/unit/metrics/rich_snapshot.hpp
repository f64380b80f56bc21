// SPDX-License-Identifier: Apache-2.0
// A snapshot in which everything is present at once: every role, allocator and state.
#pragma once

#include "snapshot/model.hpp"
#include "support/sample_drift.hpp"
#include "support/sample_memory.hpp"

namespace allocd::test {

inline snapshot::RoleSum rich_role(engine::Role role) {
  snapshot::RoleSum sum;
  sum.role = role;
  sum.processes = 70;
  sum.memory = {.resident = 4096,
                .anonymous = 2048,
                .file = 1024,
                .shared = 512,
                .swap = 256,
                .peak_resident = 8192,
                .locked = 128,
                .pinned = 64,
                .page_tables = 32,
                .hugetlb = 2048};
  sum.max_resident = 4000;
  sum.threads = 140;
  sum.minor_faults = 1000;
  sum.major_faults = 3;
  sum.max_mappings = 900;
  sum.glibc_heaps = 12;
  sum.jemalloc_background_threads = 4;
  for (const auto kind : allocator::kKindNames.values()) {
    sum.active[kind] = sum.mapped_not_active[kind] = sum.embedded[kind] = 10;
  }
  for (const auto rung : allocator::kRungNames.values()) sum.rungs[rung] = 7;
  sum.thp_disabled = 2;
  for (const auto state : policy::kStateNames.values()) sum.states[state] = 5;
  sum.libraries_off_disk = 1;
  return sum;
}

// As a vLLM worker of one allocator, all compliant, looks.
inline snapshot::RoleSum usual_role(engine::Role role) {
  snapshot::RoleSum sum = rich_role(role);
  sum.active = {{allocator::Kind::jemalloc, 70}};
  sum.mapped_not_active.clear();
  sum.embedded.clear();
  sum.rungs = {{allocator::Rung::resolved, 70}};
  sum.states = {{policy::State::compliant, 70}};
  return sum;
}

// Figures of both nodes of the machine, and every costly reading there is.
inline void add_rich_memory(snapshot::Unit& unit) {
  unit.cgroup = sample_cgroup();
  unit.locality = sample_locality();
  unit.costly = sample_unit_costly();
  auto& maps = unit.costly[1];
  maps.processes = 70;
  maps.oldest_read_at = 4900;
  maps.last_seconds = 0.25;
  for (const unsigned node : {0U, 1U}) {
    for (const auto kind : kernel::kPageKindNames.values()) maps.nodes[node][kind] = 4096;
  }
}

inline void add_rich_drift(snapshot::Unit& unit) {
  unit.drift = sample_drifting();
  unit.drift.roles.clear();
  for (const auto& role : unit.roles) unit.drift.roles.push_back({role.role, 4096, 2048, 0.5});
}

inline snapshot::Node rich_node() {
  auto node = sample_node();
  node.read_at = 4990;
  node.state.thp.shrink_underused = false;
  return node;
}

inline snapshot::ModelFiles rich_model_files(const std::string& service) {
  auto files = sample_model_files()[1];
  files.service = service;
  files.read_at = 4950;
  return files;
}

inline snapshot::Unit rich_unit(const std::string& name) {
  snapshot::Unit unit;
  unit.name = name;
  unit.service = "chat";
  unit.engine = engine::Engine::vllm;
  unit.up = true;
  unit.load_state = "loaded";
  unit.active_state = "active";
  unit.sub_state = "running";
  unit.restarts = 2;
  unit.started_at = 1000;
  unit.wanted = settings::Wanted::jemalloc;
  unit.assessment.state = policy::State::violation;
  unit.assessment.reason = policy::Reason::mapped_not_active;
  for (const auto role : engine::kRoleNames.values()) unit.roles.push_back(rich_role(role));
  unit.processes_seen = 100;
  unit.processes_vanished = 1;
  add_rich_memory(unit);
  add_rich_drift(unit);
  return unit;
}

inline snapshot::Snapshot rich_snapshot() {
  snapshot::Snapshot snapshot;
  snapshot.version = "1.2.3";
  snapshot.revision = "0123456789ab";
  snapshot.compiler = "gcc 12.2.0";
  snapshot.sequence = 7;
  snapshot.taken_at = 5000;
  snapshot.started_at = 4000;
  snapshot.interval = 10;
  snapshot.max_map_count = 65530;
  snapshot.config.last_success_at = 4000;
  snapshot.bus.connected = true;
  snapshot.own.resident = 9'000'000;
  snapshot.own.cpu_seconds = 1.5;
  snapshot.enforcer = {.known = true,
                       .applied_total = 3,
                       .reverted_total = 1,
                       .rolled_back_total = 1,
                       .restarts_total = 2,
                       .last_run_at = 4500,
                       .last_run_verb = "reconcile",
                       .last_run_success = true,
                       .last_run_error = "",
                       .last_run_changes = 2,
                       .last_run_blocked = 1,
                       .last_plan_at = 4499,
                       .last_plan_changes = 2,
                       .last_plan_blocked = 1};
  snapshot.collectors.resize(2);
  snapshot.collectors[0] = {.name = "processes",
                            .success = true,
                            .duration = 0.004,
                            .last_success_at = 5000,
                            .permission_errors = 0,
                            .errors = 1,
                            .last_error = "x"};
  snapshot.collectors[1].name = "units";
  snapshot.collectors[1].last_success_at = 4990;
  snapshot.collectors[1].cpu = 0.002;
  snapshot.node = rich_node();
  snapshot.model_files.push_back(rich_model_files("chat"));
  snapshot.units.push_back(rich_unit("chat.service"));
  return snapshot;
}

}  // namespace allocd::test
