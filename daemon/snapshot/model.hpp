// SPDX-License-Identifier: Apache-2.0
// One sample of the node as a value: what every view (Prometheus, allocctl, JSON) is rendered from.
//
// Immutable once published. Bytes are bytes, times are seconds since the epoch, durations are seconds.
// `std::optional` empty means "could not be read": it is never shown as 0. JSON form: render.hpp,
// documented in docs/snapshot.schema.json.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "allocator/evidence.hpp"
#include "allocator/kind.hpp"
#include "drift/report.hpp"
#include "engine/engine.hpp"
#include "policy/assessment.hpp"
#include "settings/settings.hpp"
#include "snapshot/model_memory.hpp"
#include "unitfile/environment.hpp"

namespace allocd::snapshot {

inline constexpr int kSchemaVersion = 1;

using Bytes = std::uint64_t;

// /proc/PID/status, proc_pid_status(5).
struct Memory {
  Bytes resident = 0;       // VmRSS
  Bytes anonymous = 0;      // RssAnon
  Bytes file = 0;           // RssFile
  Bytes shared = 0;         // RssShmem
  Bytes swap = 0;           // VmSwap
  Bytes peak_resident = 0;  // VmHWM; in a sum over processes: the sum of their peaks
  Bytes locked = 0;         // VmLck
  Bytes pinned = 0;         // VmPin
  Bytes page_tables = 0;    // VmPTE
  Bytes hugetlb = 0;        // HugetlbPages; the kernel does not count them as resident
  bool operator==(const Memory&) const = default;
};

using Library = allocator::Library;
using Evidence = allocator::Evidence;

struct Process {
  std::int32_t pid = 0;
  std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat; (pid, start_ticks) is the identity
  double started_at = 0;
  std::string comm;
  std::string cgroup;  // relative to the unit's own cgroup, "" for the cgroup itself
  engine::Role role = engine::Role::other;
  engine::Ranks ranks;
  Memory memory;
  std::uint32_t threads = 0;
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;
  Evidence evidence;
  policy::State state = policy::State::unknown;  // this process against the policy
  policy::Reason reason = policy::Reason::unreadable;
  Placement placement;
  std::vector<ProcessCostly> costly;  // those read, where the settings ask for it
  bool operator==(const Process&) const = default;
};

// Sums over the processes of one role; `max_resident` is the largest single one.
struct RoleSum {
  engine::Role role = engine::Role::other;
  std::uint32_t processes = 0;
  Memory memory;
  Bytes max_resident = 0;
  std::uint64_t threads = 0;
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;
  std::uint64_t max_mappings = 0;
  std::uint64_t glibc_heaps = 0;
  std::uint64_t jemalloc_background_threads = 0;
  std::map<allocator::Kind, std::uint32_t> active;             // processes by allocator in use
  std::map<allocator::Rung, std::uint32_t> rungs;              // processes by how well that is known
  std::map<allocator::Kind, std::uint32_t> mapped_not_active;  // processes with it mapped but idle
  std::map<allocator::Kind, std::uint32_t> embedded;           // processes with it compiled into the program
  std::uint32_t libraries_off_disk = 0;  // processes with a deleted or replaced allocator library
  std::map<policy::State, std::uint32_t> states;
  std::uint32_t thp_disabled = 0;  // processes that have transparent huge pages switched off
  bool operator==(const RoleSum&) const = default;
};

// One place that has a say in one variable (unitfile/environment.hpp).
struct Contribution {
  unitfile::Origin origin = unitfile::Origin::environment;
  std::string path;        // "" for systemd's own environment, where no file of its own is found to say it
  std::uint32_t line = 0;  // 1-based; 0 when there is none
  std::string value;       // what it sets; for unset_environment what it removes, "" for any value
  bool wins = false;       // at most one per variable
  bool is_reset = false;   // an empty assignment further down has taken it away
  bool operator==(const Contribution&) const = default;
};

struct Variable {
  std::string name;
  std::string value;
  bool is_set = false;
  std::vector<Contribution> contributions;  // weakest first
  bool operator==(const Variable&) const = default;
};

// What the unit's files come to: LD_PRELOAD, MALLOC_CONF and GLIBC_TUNABLES, and never another variable, for
// environment files hold secrets.
struct Environment {
  bool known = false;               // false: nothing asks for it, or the unit's own file cannot be read
  std::vector<Variable> variables;  // those that some place has a say in
  std::vector<std::string> doubts;  // what may make it otherwise, one sentence each
  bool operator==(const Environment&) const = default;
};

// allocd's own drop-in of the unit.
struct DropIn {
  std::string path;  // where it is, or would be
  policy::DropInState state = policy::DropInState::absent;
  bool loaded = false;    // in systemd's DropInPaths
  double applied_at = 0;  // when the enforcer wrote it; 0: it did not, or does not know
  policy::DropInPhase phase = policy::DropInPhase::none;
  bool restarted = false;  // the unit has started since the enforcer last looked at it
  bool operator==(const DropIn&) const = default;
};

struct Unit {
  std::string name;     // unit name, or the cgroup path for a cgroup selector
  std::string service;  // key under `services:`, "" when found by built-in discovery
  settings::SelectorKind source = settings::SelectorKind::unit;
  engine::Engine engine = engine::Engine::unknown;
  bool up = false;  // its processes could be listed and there is at least one
  std::string load_state;
  std::string active_state;
  std::string sub_state;
  std::string fragment_path;
  std::vector<std::string> drop_in_paths;
  std::string control_group;
  std::string invocation_id;
  std::uint32_t main_pid = 0;
  std::uint32_t restarts = 0;
  double started_at = 0;  // ActiveEnterTimestamp, 0 = never
  bool need_daemon_reload = false;
  settings::Wanted wanted = settings::Wanted::any;
  settings::Mode mode = settings::Mode::observe;  // whether the policy is enforced
  std::string preload;      // LD_PRELOAD by the Environment= systemd has loaded, "" when not set there
  std::string malloc_conf;  // MALLOC_CONF likewise
  Environment environment;
  DropIn drop_in;
  double pending_restart_seconds = 0;  // for how long a restart has been due; 0 while none is
  policy::Assessment assessment;
  std::vector<RoleSum> roles;            // one per role seen, in enum order
  std::vector<Process> processes;        // by pid
  std::uint64_t processes_seen = 0;      // different processes since the observer started
  std::uint64_t processes_vanished = 0;  // gone while they were being read, since start
  std::uint64_t processes_dropped = 0;   // over max_processes_per_unit, this sample
  std::uint64_t permission_errors = 0;   // processes that could not be read for want of rights, this sample
  std::uint64_t evidence_pending = 0;    // processes whose allocator is not known yet, this sample
  UnitCgroup cgroup;
  Locality locality;
  std::vector<UnitCostly> costly;  // one per kind that the settings ask for
  drift::Report drift;             // what the days before say
  bool operator==(const Unit&) const = default;
};

// What the enforcer says of itself in its manifest.
struct Enforcer {
  bool known = false;  // false: the manifest could not be read; one that is not there is an empty one
  std::uint64_t applied_total = 0;
  std::uint64_t reverted_total = 0;
  std::uint64_t rolled_back_total = 0;
  std::uint64_t restarts_total = 0;
  double last_run_at = 0;  // 0: never
  std::string last_run_verb;
  bool last_run_success = false;
  std::string last_run_error;
  std::uint32_t last_run_changes = 0;
  std::uint32_t last_run_blocked = 0;
  double last_plan_at = 0;  // of everything that it may write by itself or was told to; 0: never
  std::uint32_t last_plan_changes = 0;
  std::uint32_t last_plan_blocked = 0;
  bool operator==(const Enforcer&) const = default;
};

// One part of the observer's work: "units", "processes", "allocators", "cgroups", "enforcement",
// "cgroup_memory", "node", "page_cache", "costly", "drift".
struct Collector {
  std::string name;
  bool success = false;
  double duration = 0;
  double last_success_at = 0;
  std::uint64_t permission_errors = 0;  // in the last run
  std::uint64_t errors = 0;             // since start
  std::string last_error;
  double cpu = 0;  // seconds of CPU that the last run took
  bool operator==(const Collector&) const = default;
};

struct ConfigState {
  bool last_reload_successful = true;
  double last_success_at = 0;
  bool built_in_discovery = false;  // no service configured: known engines are looked for
  std::vector<std::string> files;
  std::string error;  // problems of the last reload, as check-config prints them
  bool operator==(const ConfigState&) const = default;
};

struct BusSummary {
  bool connected = false;
  std::uint64_t reconnects = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t errors = 0;
  std::string last_error;
  bool operator==(const BusSummary&) const = default;
};

struct Own {  // what the observer itself costs
  std::uint32_t pid = 0;
  Bytes resident = 0;
  double cpu_seconds = 0;  // user + system since start
  double sample_cpu = 0;   // of the last sample
  double sample_duration = 0;
  double sample_lateness = 0;  // how late the timer fired
  std::uint64_t samples = 0;
  std::uint64_t evidence_reads = 0;
  std::uint64_t evidence_deadlines = 0;  // reads that met their deadline
  std::uint64_t costly_reads = 0;
  double costly_seconds = 0;  // that they took, all together
  bool operator==(const Own&) const = default;
};

struct Snapshot {
  int schema_version = kSchemaVersion;
  std::string version;         // of allocd
  std::string revision;        // git commit it was built from, "unknown" when it was not told
  std::string compiler;        // "gcc 12.2.0"
  std::uint64_t sequence = 0;  // grows by one each sample of this observer's life
  double taken_at = 0;
  double started_at = 0;  // of the observer
  double interval = 0;
  std::string boot_id;
  std::string hostname;
  std::string kernel_release;
  std::uint64_t max_map_count = 0;  // vm.max_map_count
  ConfigState config;
  BusSummary bus;
  Own own;
  Enforcer enforcer;
  std::vector<Collector> collectors;
  Node node;
  std::vector<ModelFiles> model_files;  // by service, those with model_paths
  std::vector<Unit> units;              // by name
  bool operator==(const Snapshot&) const = default;
};

}  // namespace allocd::snapshot
