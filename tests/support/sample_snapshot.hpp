// SPDX-License-Identifier: Apache-2.0
// A rich, realistic snapshot for tests: one of every kind of unit an operator meets.
//
//   vllm.service          jemalloc wanted; a glibc launcher exempted by nothing, jemalloc workers, and one
//   worker
//                         that maps jemalloc and uses tcmalloc: violation (mapped_not_active)
//   sglang.service        jemalloc wanted and used everywhere: compliant
//   tgi.service           configured and absent: inactive (unit_not_found)
//   triton.service        masked: inactive (unit_masked)
//   /machine.slice/...    a container found by cgroup: not_enforceable (unreachable)
//   secret-llm.service    its processes cannot be read: unknown (not_permitted)
//
// The memory part is sample_memory.hpp's, what the days before say sample_drift.hpp's. Times are fixed:
// taken_at is kSampleTime. Role sums are computed from the processes, as the observer does.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "snapshot/model.hpp"
#include "support/sample_drift.hpp"
#include "support/sample_memory.hpp"

namespace allocd::test {

inline snapshot::Library sample_library(allocator::Kind kind, allocator::LibraryState state,
                                        allocator::OnDisk on_disk = allocator::OnDisk::current) {
  using allocator::Kind;
  static const std::vector<std::pair<Kind, std::pair<const char*, const char*>>> known{
      {Kind::glibc, {"/usr/lib/x86_64-linux-gnu/libc.so.6", "6196744a316dbd57c0fd8968df1680aac482cef4"}},
      {Kind::jemalloc,
       {"/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "e7d1ebd7c5b1f2bd4f6a5a2d1e4a8d8e2a1c5f90"}},
      {Kind::tcmalloc,
       {"/opt/venv/lib/libtcmalloc_minimal.so.4", "0c7d4b55f5e1b6e0a9f8a2dbb0a1f1cf5f3e2d11"}},
  };
  for (const auto& [name, file] : known) {
    if (name == kind) return {kind, state, file.first, file.second, on_disk};
  }
  return {kind, state, "/opt/lib/libmalloc.so", "", on_disk};
}

inline snapshot::Memory sample_memory(snapshot::Bytes anonymous) {
  snapshot::Memory memory;
  memory.anonymous = anonymous;
  memory.file = 310 * kMiB;
  memory.shared = 64 * kMiB;
  memory.resident = memory.anonymous + memory.file + memory.shared;
  memory.peak_resident = memory.resident + 200 * kMiB;
  memory.locked = 16 * kMiB;
  memory.page_tables = memory.resident / 512;
  return memory;
}

// A process whose only allocator is the active one; libc is always mapped beside it.
inline snapshot::Process sample_process(std::int32_t pid, engine::Role role, allocator::Kind active,
                                        snapshot::Bytes anonymous) {
  using allocator::Kind;
  using allocator::LibraryState;
  snapshot::Process process;
  process.pid = pid;
  process.start_ticks = 90'000 + static_cast<std::uint64_t>(pid);
  process.started_at = kSampleTime - 273'600;
  process.comm = "python3";
  process.role = role;
  process.memory = sample_memory(anonymous);
  process.threads = 42;
  process.minor_faults = 8'123'456;
  process.major_faults = 12;
  process.state = policy::State::compliant;
  process.reason = policy::Reason::none;
  auto& evidence = process.evidence;
  evidence.active = active;
  evidence.rung = allocator::Rung::resolved;
  const auto main_library = sample_library(active, LibraryState::active);
  evidence.detail = "malloc is first defined by " + main_library.path + " in the dynamic linker's order";
  evidence.libraries.push_back(main_library);
  if (active != Kind::glibc) {
    evidence.libraries.push_back(sample_library(Kind::glibc, LibraryState::mapped_not_active));
  }
  if (active == Kind::jemalloc) evidence.jemalloc_background_threads = 4;
  if (active == Kind::glibc) evidence.glibc_heaps = 24;
  evidence.mappings = 4200;
  evidence.checked_at = kSampleTime - 40;
  return process;
}

inline void add_memory(snapshot::Memory& sum, const snapshot::Memory& one) {
  sum.resident += one.resident;
  sum.anonymous += one.anonymous;
  sum.file += one.file;
  sum.shared += one.shared;
  sum.swap += one.swap;
  sum.peak_resident += one.peak_resident;
  sum.locked += one.locked;
  sum.pinned += one.pinned;
  sum.page_tables += one.page_tables;
  sum.hugetlb += one.hugetlb;
}

inline void add_process(snapshot::RoleSum& sum, const snapshot::Process& process) {
  using allocator::LibraryState;
  const auto& evidence = process.evidence;
  ++sum.processes;
  add_memory(sum.memory, process.memory);
  sum.max_resident = std::max(sum.max_resident, process.memory.resident);
  sum.threads += process.threads;
  sum.minor_faults += process.minor_faults;
  sum.major_faults += process.major_faults;
  sum.max_mappings = std::max(sum.max_mappings, evidence.mappings.value_or(0));
  sum.glibc_heaps += evidence.glibc_heaps.value_or(0);
  sum.jemalloc_background_threads += evidence.jemalloc_background_threads.value_or(0);
  ++sum.active[evidence.active];
  ++sum.rungs[evidence.rung];
  if (process.placement.thp_enabled == false) ++sum.thp_disabled;
  ++sum.states[process.state];
  bool off_disk = false;
  for (const auto& library : evidence.libraries) {
    if (library.state == LibraryState::mapped_not_active && library.kind != allocator::Kind::glibc) {
      ++sum.mapped_not_active[library.kind];
    }
    if (library.state == LibraryState::embedded) ++sum.embedded[library.kind];
    off_disk = off_disk || library.on_disk == allocator::OnDisk::deleted ||
               library.on_disk == allocator::OnDisk::replaced;
  }
  if (off_disk) ++sum.libraries_off_disk;
}

// One sum per role seen, in enum order.
inline std::vector<snapshot::RoleSum> sample_roles(const std::vector<snapshot::Process>& processes) {
  std::vector<snapshot::RoleSum> roles;
  for (const auto role : engine::kRoleNames.values()) {
    snapshot::RoleSum sum;
    sum.role = role;
    for (const auto& process : processes) {
      if (process.role == role) add_process(sum, process);
    }
    if (sum.processes > 0) roles.push_back(sum);
  }
  return roles;
}

inline snapshot::Unit sample_unit(const std::string& name, const std::string& service) {
  snapshot::Unit unit;
  unit.name = name;
  unit.service = service;
  unit.engine = engine::Engine::vllm;
  unit.load_state = "loaded";
  unit.active_state = "active";
  unit.sub_state = "running";
  unit.fragment_path = "/etc/systemd/system/" + name;
  unit.control_group = "/system.slice/" + name;
  unit.invocation_id = "5f0c3b1e4a6d4c1fa2b7d9e0c1a2b3c4";
  unit.started_at = kSampleTime - 273'600;
  unit.wanted = settings::Wanted::jemalloc;
  return unit;
}

inline policy::Assessment sample_assessment(policy::State state, policy::Reason reason,
                                            std::vector<policy::Link> links) {
  policy::Assessment assessment{state, reason, {}};
  for (std::size_t i = 0; i < links.size() && i < policy::kLinkCount; ++i) {
    assessment.chain[i] = std::move(links[i]);
  }
  return assessment;
}

inline void finish_unit(snapshot::Unit& unit) {
  unit.up = !unit.processes.empty();
  unit.roles = sample_roles(unit.processes);
  unit.processes_seen = unit.processes.size();
  if (unit.up) unit.main_pid = static_cast<std::uint32_t>(unit.processes.front().pid);
}

// The worker of the issue everybody has: a wrapper put tcmalloc in front, jemalloc is mapped and idle.
inline snapshot::Process sample_idle_jemalloc_worker() {
  auto worker = sample_process(4105, engine::Role::worker, allocator::Kind::tcmalloc, 21 * kGiB);
  worker.ranks.tp = 1;
  worker.evidence.libraries.push_back(sample_library(
      allocator::Kind::jemalloc, allocator::LibraryState::mapped_not_active, allocator::OnDisk::replaced));
  worker.state = policy::State::violation;
  worker.reason = policy::Reason::mapped_not_active;
  return worker;
}

// An environment file has its own idea of the preload, and loses.
inline snapshot::Environment sample_environment() {
  using unitfile::Origin;
  const std::string ours = "/etc/systemd/system/vllm.service.d/zz-allocd";
  const std::string jemalloc = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
  const std::string conf = "background_thread:true,dirty_decay_ms:5000";
  snapshot::Environment environment;
  environment.known = true;
  environment.variables = {
      {"LD_PRELOAD",
       jemalloc,
       true,
       {{Origin::environment_file, "/etc/default/vllm", 3, "/opt/venv/lib/libiomp5.so", false, false},
        {Origin::environment_file, ours + ".env", 6, jemalloc, true, false}}},
      {"MALLOC_CONF", conf, true, {{Origin::environment, ours + ".conf", 7, conf, true, false}}}};
  environment.doubts = {
      "/etc/systemd/system/vllm.service:12: there is no file /etc/vllm/keys; systemd does not "
      "start the unit"};
  return environment;
}

inline snapshot::Unit sample_vllm() {
  using allocator::Kind;
  using policy::Verdict;
  auto unit = sample_unit("vllm.service", "vllm");
  unit.drop_in_paths = {"/etc/systemd/system/vllm.service.d/zz-allocd.conf"};
  unit.preload = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
  unit.malloc_conf = "background_thread:true,dirty_decay_ms:5000";
  unit.mode = settings::Mode::enforce;
  unit.environment = sample_environment();
  unit.drop_in = {"/etc/systemd/system/vllm.service.d/zz-allocd.conf",
                  policy::DropInState::intact,
                  true,
                  kSampleTime - 273'700,
                  policy::DropInPhase::settled,
                  false};
  unit.restarts = 2;
  auto launcher = sample_process(4100, engine::Role::launcher, Kind::glibc, 80 * kMiB);
  launcher.state = policy::State::violation;
  launcher.reason = policy::Reason::preload_lost;
  auto worker = sample_process(4104, engine::Role::worker, Kind::jemalloc, 22 * kGiB);
  worker.ranks.tp = 0;
  unit.processes = {launcher,
                    sample_process(4101, engine::Role::api_server, Kind::jemalloc, 1 * kGiB + 512 * kMiB),
                    sample_process(4103, engine::Role::engine_core, Kind::jemalloc, 3 * kGiB), worker,
                    sample_idle_jemalloc_worker()};
  unit.assessment = sample_assessment(
      policy::State::violation, policy::Reason::mapped_not_active,
      {{Verdict::holds, "service 'vllm' asks for jemalloc (/etc/allocd/allocd.yaml:4:3)"},
       {Verdict::holds, "/etc/systemd/system/vllm.service.d/zz-allocd.conf sets LD_PRELOAD"},
       {Verdict::holds, "systemd has loaded it and nothing later overrides it"},
       {Verdict::holds, "all 5 processes started after it was loaded"},
       {Verdict::fails,
        "in 2 of 5 processes malloc does not resolve to jemalloc: pid 4105 (worker) maps it and uses "
        "/opt/venv/lib/libtcmalloc_minimal.so.4"}});
  unit.processes[3].memory.hugetlb = unit.processes[4].memory.hugetlb = kGiB;
  unit.processes[3].memory.pinned = 96 * kMiB;
  add_vllm_memory(unit);
  add_vllm_drift(unit);
  finish_unit(unit);
  unit.processes_vanished = 1;
  return unit;
}

inline snapshot::Unit sample_sglang() {
  using policy::Verdict;
  auto unit = sample_unit("sglang.service", "sglang");
  unit.engine = engine::Engine::sglang;
  unit.preload = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
  unit.processes = {sample_process(900, engine::Role::tokenizer, allocator::Kind::jemalloc, 600 * kMiB),
                    sample_process(901, engine::Role::scheduler, allocator::Kind::jemalloc, 9 * kGiB),
                    sample_process(902, engine::Role::detokenizer, allocator::Kind::jemalloc, 500 * kMiB)};
  unit.assessment = sample_assessment(
      policy::State::compliant, policy::Reason::none,
      {{Verdict::holds, "service 'sglang' asks for jemalloc (/etc/allocd/conf.d/sglang.yaml:2:3)"},
       {Verdict::holds, "/etc/systemd/system/sglang.service.d/zz-allocd.conf sets LD_PRELOAD"},
       {Verdict::holds, "systemd has loaded it and nothing later overrides it"},
       {Verdict::holds, "all 3 processes started after it was loaded"},
       {Verdict::holds, "in all 3 processes malloc resolves to jemalloc"}});
  add_sglang_memory(unit);
  add_sglang_drift(unit);
  finish_unit(unit);
  return unit;
}

inline snapshot::Unit sample_down_unit(const std::string& name, const std::string& service,
                                       const std::string& load_state, policy::Reason reason,
                                       const std::string& loaded_evidence) {
  using policy::Verdict;
  auto unit = sample_unit(name, service);
  unit.load_state = load_state;
  unit.active_state = "inactive";
  unit.sub_state = "dead";
  unit.fragment_path.clear();
  unit.control_group.clear();
  unit.invocation_id.clear();
  unit.started_at = 0;
  unit.assessment = sample_assessment(
      policy::State::inactive, reason,
      {{Verdict::holds, "service '" + service + "' asks for jemalloc (/etc/allocd/allocd.yaml:9:3)"},
       {Verdict::fails, "no drop-in sets LD_PRELOAD"},
       {Verdict::fails, loaded_evidence},
       {Verdict::not_applicable, "no process"},
       {Verdict::not_applicable, "no process"}});
  return unit;
}

inline snapshot::Unit sample_container() {
  using policy::Verdict;
  auto unit = sample_unit("/machine.slice/libpod-3f1c9a.scope", "containers");
  unit.source = settings::SelectorKind::cgroup;
  unit.engine = engine::Engine::tgi;
  unit.load_state = unit.active_state = unit.sub_state = unit.fragment_path = unit.invocation_id = "";
  unit.control_group = unit.name;
  unit.started_at = 0;
  unit.processes = {sample_process(7001, engine::Role::launcher, allocator::Kind::glibc, 40 * kMiB),
                    sample_process(7002, engine::Role::worker, allocator::Kind::glibc, 14 * kGiB)};
  for (auto& process : unit.processes) {
    process.cgroup = "container";
    process.state = policy::State::not_enforceable;
    process.reason = policy::Reason::unreachable;
  }
  unit.assessment = sample_assessment(
      policy::State::not_enforceable, policy::Reason::unreachable,
      {{Verdict::holds, "service 'containers' asks for jemalloc (/etc/allocd/allocd.yaml:14:3)"},
       {Verdict::not_applicable, "a drop-in does not reach a container's payload"},
       {Verdict::not_applicable, "no unit starts this cgroup"},
       {Verdict::unknown, "not known when the setting would have come"},
       {Verdict::fails, "in 2 of 2 processes malloc resolves to glibc"}});
  unit.cgroup.state = snapshot::CgroupMemoryState::controller_off;
  unit.cgroup.read_at = kSampleTime;
  finish_unit(unit);
  unit.main_pid = 0;
  return unit;
}

inline snapshot::Unit sample_unreadable() {
  using policy::Verdict;
  auto unit = sample_unit("secret-llm.service", "secret");
  auto process = sample_process(5200, engine::Role::other, allocator::Kind::unknown, 2 * kGiB);
  process.state = policy::State::unknown;
  process.reason = policy::Reason::not_permitted;
  process.evidence = {};
  process.evidence.detail = "reading the memory map was refused: permission denied";
  unit.processes = {process};
  unit.permission_errors = 1;
  unit.evidence_pending = 1;
  unit.assessment = sample_assessment(
      policy::State::unknown, policy::Reason::not_permitted,
      {{Verdict::holds, "service 'secret' asks for jemalloc (/etc/allocd/allocd.yaml:19:3)"},
       {Verdict::holds, "/etc/systemd/system/secret-llm.service.d/zz-allocd.conf sets LD_PRELOAD"},
       {Verdict::holds, "systemd has loaded it and nothing later overrides it"},
       {Verdict::holds, "all 1 processes started after it was loaded"},
       {Verdict::unknown, "1 of 1 processes could not be read: permission denied"}});
  finish_unit(unit);
  return unit;
}

inline snapshot::Snapshot sample_snapshot() {
  snapshot::Snapshot sample;
  sample.version = "0.1.0";
  sample.revision = "4f0c2d9a71be";
  sample.compiler = "gcc 12.2.0";
  sample.sequence = 27'361;
  sample.taken_at = kSampleTime;
  sample.started_at = kSampleTime - 273'610;
  sample.interval = 10;
  sample.boot_id = "0d9b8f5e-7c41-4f3a-9b9e-0e2c6d5a4b13";
  sample.hostname = "gpu-node-07";
  sample.kernel_release = "6.1.0-28-amd64";
  sample.max_map_count = 65'530;
  sample.config.last_success_at = sample.started_at;
  sample.config.files = {"/etc/allocd/allocd.yaml", "/etc/allocd/conf.d/sglang.yaml"};
  sample.bus.connected = true;
  sample.own = {812, 9 * kMiB, 148.5, 0.0042, 0.0051, 0.0003, 27'361, 118, 0, 412, 1.25};
  sample.enforcer = {true, 2, 0, 1, 1, kSampleTime - 273'700, "apply", true, "", 1, 0, kSampleTime - 273'700,
                     1,    0};
  sample.collectors = {
      {"units", true, 0.0004, kSampleTime, 0, 0, "", 0.0004},
      {"processes", true, 0.0031, kSampleTime, 0, 1, "pid 4102 went away", 0.0029},
      {"allocators", false, 0.0007, kSampleTime - 300, 1, 30, "pid 5200: permission denied", 0.0006},
      {"cgroups", true, 0.0002, kSampleTime, 0, 0, "", 0.0002},
      {"cgroup_memory", true, 0.0003, kSampleTime, 0, 0, "", 0.0003},
      {"node", false, 0.0021, kSampleTime - 265, 1, 9, "1 file could not be read", 0.0019}};
  sample.node = sample_node();
  sample.model_files = sample_model_files();
  sample.units = {sample_container(),
                  sample_unreadable(),
                  sample_sglang(),
                  sample_down_unit("tgi.service", "tgi", "not-found", policy::Reason::unit_not_found,
                                   "systemd does not know the unit"),
                  sample_down_unit("triton.service", "triton", "masked", policy::Reason::unit_masked,
                                   "the unit is masked"),
                  sample_vllm()};
  return sample;
}

}  // namespace allocd::test
