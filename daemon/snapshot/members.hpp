// SPDX-License-Identifier: Apache-2.0
// One table per struct: the JSON key of each member, in document order. Rendering and parsing are both made
// from these tables, so they cannot disagree; docs/snapshot.schema.json is compared with them by a test.
//
// `visit` is called as visit("key", member). Private to this folder.
#pragma once

#include "snapshot/members_drift.hpp"
#include "snapshot/members_memory.hpp"
#include "snapshot/model.hpp"
#include "snapshot/table.hpp"

namespace allocd::snapshot::detail {

// The structs that have a table: here, in members_memory.hpp or in members_drift.hpp.
template <typename T>
concept Tabled = MemoryTabled<T> || DriftTabled<T> ||
                 OneOf<T, Memory, Library, Evidence, engine::Ranks, Process, RoleSum, policy::Link,
                       policy::Assessment, Contribution, Variable, Environment, DropIn, Unit, Enforcer,
                       Collector, ConfigState, BusSummary, Own, Snapshot>;

void each_member(Either<Memory> auto& memory, auto&& visit) {
  visit("resident", memory.resident);
  visit("anonymous", memory.anonymous);
  visit("file", memory.file);
  visit("shared", memory.shared);
  visit("swap", memory.swap);
  visit("peak_resident", memory.peak_resident);
  visit("locked", memory.locked);
  visit("pinned", memory.pinned);
  visit("page_tables", memory.page_tables);
  visit("hugetlb", memory.hugetlb);
}

void each_member(Either<Library> auto& library, auto&& visit) {
  visit("kind", library.kind);
  visit("state", library.state);
  visit("path", library.path);
  visit("build_id", library.build_id);
  visit("on_disk", library.on_disk);
}

void each_member(Either<Evidence> auto& evidence, auto&& visit) {
  visit("active", evidence.active);
  visit("rung", evidence.rung);
  visit("detail", evidence.detail);
  visit("libraries", evidence.libraries);
  visit("jemalloc_background_threads", evidence.jemalloc_background_threads);
  visit("glibc_heaps", evidence.glibc_heaps);
  visit("mappings", evidence.mappings);
  visit("checked_at", evidence.checked_at);
}

void each_member(Either<engine::Ranks> auto& ranks, auto&& visit) {
  visit("dp", ranks.dp);
  visit("pp", ranks.pp);
  visit("tp", ranks.tp);
  visit("ep", ranks.ep);
}

void each_member(Either<Process> auto& process, auto&& visit) {
  visit("pid", process.pid);
  visit("start_ticks", process.start_ticks);
  visit("started_at", process.started_at);
  visit("comm", process.comm);
  visit("cgroup", process.cgroup);
  visit("role", process.role);
  visit("ranks", process.ranks);
  visit("memory", process.memory);
  visit("threads", process.threads);
  visit("minor_faults", process.minor_faults);
  visit("major_faults", process.major_faults);
  visit("evidence", process.evidence);
  visit("state", process.state);
  visit("reason", process.reason);
  visit("placement", process.placement);
  visit("costly", process.costly);
}

void each_member(Either<RoleSum> auto& sum, auto&& visit) {
  visit("role", sum.role);
  visit("processes", sum.processes);
  visit("memory", sum.memory);
  visit("max_resident", sum.max_resident);
  visit("threads", sum.threads);
  visit("minor_faults", sum.minor_faults);
  visit("major_faults", sum.major_faults);
  visit("max_mappings", sum.max_mappings);
  visit("glibc_heaps", sum.glibc_heaps);
  visit("jemalloc_background_threads", sum.jemalloc_background_threads);
  visit("active", sum.active);
  visit("rungs", sum.rungs);
  visit("mapped_not_active", sum.mapped_not_active);
  visit("embedded", sum.embedded);
  visit("libraries_off_disk", sum.libraries_off_disk);
  visit("states", sum.states);
  visit("thp_disabled", sum.thp_disabled);
}

// `link` is written beside these: the name of the link, by its place in the chain.
void each_member(Either<policy::Link> auto& link, auto&& visit) {
  visit("verdict", link.verdict);
  visit("evidence", link.evidence);
}

void each_member(Either<policy::Assessment> auto& assessment, auto&& visit) {
  visit("state", assessment.state);
  visit("reason", assessment.reason);
  visit("chain", assessment.chain);
}

void each_member(Either<Contribution> auto& contribution, auto&& visit) {
  visit("origin", contribution.origin);
  visit("path", contribution.path);
  visit("line", contribution.line);
  visit("value", contribution.value);
  visit("wins", contribution.wins);
  visit("is_reset", contribution.is_reset);
}

void each_member(Either<Variable> auto& variable, auto&& visit) {
  visit("name", variable.name);
  visit("value", variable.value);
  visit("is_set", variable.is_set);
  visit("contributions", variable.contributions);
}

void each_member(Either<Environment> auto& environment, auto&& visit) {
  visit("known", environment.known);
  visit("variables", environment.variables);
  visit("doubts", environment.doubts);
}

void each_member(Either<DropIn> auto& drop_in, auto&& visit) {
  visit("path", drop_in.path);
  visit("state", drop_in.state);
  visit("loaded", drop_in.loaded);
  visit("applied_at", drop_in.applied_at);
  visit("phase", drop_in.phase);
  visit("restarted", drop_in.restarted);
}

void each_member(Either<Unit> auto& unit, auto&& visit) {
  visit("name", unit.name);
  visit("service", unit.service);
  visit("source", unit.source);
  visit("engine", unit.engine);
  visit("up", unit.up);
  visit("load_state", unit.load_state);
  visit("active_state", unit.active_state);
  visit("sub_state", unit.sub_state);
  visit("fragment_path", unit.fragment_path);
  visit("drop_in_paths", unit.drop_in_paths);
  visit("control_group", unit.control_group);
  visit("invocation_id", unit.invocation_id);
  visit("main_pid", unit.main_pid);
  visit("restarts", unit.restarts);
  visit("started_at", unit.started_at);
  visit("need_daemon_reload", unit.need_daemon_reload);
  visit("wanted", unit.wanted);
  visit("mode", unit.mode);
  visit("preload", unit.preload);
  visit("malloc_conf", unit.malloc_conf);
  visit("environment", unit.environment);
  visit("drop_in", unit.drop_in);
  visit("pending_restart_seconds", unit.pending_restart_seconds);
  visit("assessment", unit.assessment);
  visit("roles", unit.roles);
  visit("processes", unit.processes);
  visit("processes_seen", unit.processes_seen);
  visit("processes_vanished", unit.processes_vanished);
  visit("processes_dropped", unit.processes_dropped);
  visit("permission_errors", unit.permission_errors);
  visit("evidence_pending", unit.evidence_pending);
  visit("cgroup", unit.cgroup);
  visit("locality", unit.locality);
  visit("costly", unit.costly);
  visit("drift", unit.drift);
}

void each_member(Either<Enforcer> auto& enforcer, auto&& visit) {
  visit("known", enforcer.known);
  visit("applied_total", enforcer.applied_total);
  visit("reverted_total", enforcer.reverted_total);
  visit("rolled_back_total", enforcer.rolled_back_total);
  visit("restarts_total", enforcer.restarts_total);
  visit("last_run_at", enforcer.last_run_at);
  visit("last_run_verb", enforcer.last_run_verb);
  visit("last_run_success", enforcer.last_run_success);
  visit("last_run_error", enforcer.last_run_error);
  visit("last_run_changes", enforcer.last_run_changes);
  visit("last_run_blocked", enforcer.last_run_blocked);
  visit("last_plan_at", enforcer.last_plan_at);
  visit("last_plan_changes", enforcer.last_plan_changes);
  visit("last_plan_blocked", enforcer.last_plan_blocked);
}

void each_member(Either<Collector> auto& collector, auto&& visit) {
  visit("name", collector.name);
  visit("success", collector.success);
  visit("duration", collector.duration);
  visit("last_success_at", collector.last_success_at);
  visit("permission_errors", collector.permission_errors);
  visit("errors", collector.errors);
  visit("last_error", collector.last_error);
  visit("cpu", collector.cpu);
}

void each_member(Either<ConfigState> auto& config, auto&& visit) {
  visit("last_reload_successful", config.last_reload_successful);
  visit("last_success_at", config.last_success_at);
  visit("built_in_discovery", config.built_in_discovery);
  visit("files", config.files);
  visit("error", config.error);
}

void each_member(Either<BusSummary> auto& bus, auto&& visit) {
  visit("connected", bus.connected);
  visit("reconnects", bus.reconnects);
  visit("timeouts", bus.timeouts);
  visit("errors", bus.errors);
  visit("last_error", bus.last_error);
}

void each_member(Either<Own> auto& own, auto&& visit) {
  visit("pid", own.pid);
  visit("resident", own.resident);
  visit("cpu_seconds", own.cpu_seconds);
  visit("sample_cpu", own.sample_cpu);
  visit("sample_duration", own.sample_duration);
  visit("sample_lateness", own.sample_lateness);
  visit("samples", own.samples);
  visit("evidence_reads", own.evidence_reads);
  visit("evidence_deadlines", own.evidence_deadlines);
  visit("costly_reads", own.costly_reads);
  visit("costly_seconds", own.costly_seconds);
}

void each_member(Either<Snapshot> auto& snapshot, auto&& visit) {
  visit("schema_version", snapshot.schema_version);
  visit("version", snapshot.version);
  visit("revision", snapshot.revision);
  visit("compiler", snapshot.compiler);
  visit("sequence", snapshot.sequence);
  visit("taken_at", snapshot.taken_at);
  visit("started_at", snapshot.started_at);
  visit("interval", snapshot.interval);
  visit("boot_id", snapshot.boot_id);
  visit("hostname", snapshot.hostname);
  visit("kernel_release", snapshot.kernel_release);
  visit("max_map_count", snapshot.max_map_count);
  visit("config", snapshot.config);
  visit("bus", snapshot.bus);
  visit("own", snapshot.own);
  visit("enforcer", snapshot.enforcer);
  visit("collectors", snapshot.collectors);
  visit("node", snapshot.node);
  visit("model_files", snapshot.model_files);
  visit("units", snapshot.units);
}

template <>
inline constexpr auto kNamesOf<allocator::Kind> = allocator::kKindNames;
template <>
inline constexpr auto kNamesOf<allocator::Rung> = allocator::kRungNames;
template <>
inline constexpr auto kNamesOf<allocator::LibraryState> = allocator::kLibraryStateNames;
template <>
inline constexpr auto kNamesOf<allocator::OnDisk> = allocator::kOnDiskNames;
template <>
inline constexpr auto kNamesOf<engine::Engine> = engine::kEngineNames;
template <>
inline constexpr auto kNamesOf<engine::Role> = engine::kRoleNames;
template <>
inline constexpr auto kNamesOf<policy::State> = policy::kStateNames;
template <>
inline constexpr auto kNamesOf<policy::Reason> = policy::kReasonNames;
template <>
inline constexpr auto kNamesOf<policy::Verdict> = policy::kVerdictNames;
template <>
inline constexpr auto kNamesOf<policy::DropInState> = policy::kDropInStateNames;
template <>
inline constexpr auto kNamesOf<policy::DropInPhase> = policy::kDropInPhaseNames;
template <>
inline constexpr auto kNamesOf<unitfile::Origin> = unitfile::kOriginNames;
template <>
inline constexpr auto kNamesOf<settings::Mode> = settings::kModeNames;
template <>
inline constexpr auto kNamesOf<settings::SelectorKind> = settings::kSelectorKindNames;
template <>
inline constexpr auto kNamesOf<settings::Wanted> = settings::kWantedNames;

}  // namespace allocd::snapshot::detail
