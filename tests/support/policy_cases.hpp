// SPDX-License-Identifier: Apache-2.0
// Units and processes to judge: a unit that is in order, and the ways in which one is not.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "policy/assess.hpp"

namespace allocd::test {

inline const char* const kJemallocPath = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
inline const char* const kDropIn = "/etc/systemd/system/vllm.service.d/zz-allocd.conf";

// A loaded vLLM unit whose own Environment= preloads jemalloc, written at second 1000.
inline policy::UnitSetting asking_unit() {
  policy::UnitSetting unit;
  unit.bus_available = true;
  unit.load_state = "loaded";
  unit.active_state = "active";
  unit.fragment_path = "/etc/systemd/system/vllm.service";
  unit.loaded_at = 1000;
  unit.environment = {"PORT=8000", std::string("LD_PRELOAD=") + kJemallocPath};
  unit.exec_start = {{"/opt/vllm/bin/vllm", "serve", "m"}};
  return unit;
}

inline const char* const kUnitFile = "/etc/systemd/system/vllm.service";

inline unitfile::Contribution says(unitfile::Origin origin, const char* path, std::string value,
                                   bool wins = false) {
  unitfile::Contribution contribution;
  contribution.origin = origin;
  contribution.path = path;
  contribution.line = 3;
  contribution.value = std::move(value);
  contribution.wins = wins;
  return contribution;
}

// The same unit with its files read: jemalloc by its own Environment=, and what else has a say.
inline policy::UnitSetting read_unit(std::vector<unitfile::Contribution> more = {}) {
  policy::UnitSetting unit = asking_unit();
  auto& files = unit.files.emplace();
  files.variable.contributions = {
      says(unitfile::Origin::environment, kUnitFile, kJemallocPath, more.empty())};
  for (auto& one : more) files.variable.contributions.push_back(std::move(one));
  return unit;
}

inline policy::UnitSetting silent_unit() {
  policy::UnitSetting unit = asking_unit();
  unit.environment = {"PORT=8000"};
  unit.loaded_at = 0;
  return unit;
}

// A worker that started at second 2000 and whose malloc is known for certain.
inline policy::ProcessFacts process_with(allocator::Kind active, int pid = 4711) {
  policy::ProcessFacts process;
  process.pid = pid;
  process.role = engine::Role::worker;
  process.started_at = 2000;
  process.active = active;
  process.rung = allocator::Rung::resolved;
  return process;
}

inline policy::ProcessFacts right_process(int pid = 4711) {
  auto process = process_with(allocator::Kind::jemalloc, pid);
  process.active_path = kJemallocPath;
  return process;
}

// Maps jemalloc, uses a tcmalloc that no setting names: what a maps grep takes for right.
inline policy::ProcessFacts idle_process(int pid = 4711) {
  auto process = process_with(allocator::Kind::tcmalloc, pid);
  process.active_path = "/opt/venv/lib/libtcmalloc_minimal.so.4";
  process.wanted_is_mapped_idle = true;
  process.idle_path = kJemallocPath;
  return process;
}

inline policy::ProcessFacts old_process(int pid = 4711) {
  auto process = process_with(allocator::Kind::glibc, pid);
  process.started_at = 400;
  return process;
}

inline policy::ProcessFacts unknown_process(int pid = 4711) {
  auto process = process_with(allocator::Kind::glibc, pid);
  process.active.reset();
  process.rung = allocator::Rung::none;
  return process;
}

inline policy::ProcessFacts forbidden_process(int pid = 4711) {
  auto process = unknown_process(pid);
  process.permitted = false;
  return process;
}

inline policy::ProcessFacts static_process(int pid = 4711) {
  auto process = process_with(allocator::Kind::musl, pid);
  process.is_static = true;
  process.rung = allocator::Rung::fingerprint;
  return process;
}

inline policy::ProcessFacts with_role(policy::ProcessFacts process, engine::Role role) {
  process.role = role;
  return process;
}

}  // namespace allocd::test
