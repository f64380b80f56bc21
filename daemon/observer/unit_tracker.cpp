// SPDX-License-Identifier: Apache-2.0
#include "observer/unit_tracker.hpp"

#include <utility>

namespace allocd::observer {

UnitSample UnitTracker::sample(const kernel::CgroupTree& tree, const std::string& control_group, int proc,
                               std::uint64_t number, std::size_t max_processes, Clock::time_point now) {
  UnitSample sample;
  const auto begun = Clock::now();
  auto members = tree.list(control_group);
  const auto listed = Clock::now();
  sample.list_seconds = std::chrono::duration<double>(listed - begun).count();
  if (!members) {
    sample.error = members.error().message();
    processes_.clear();
    return sample;
  }
  sample.listed = true;
  std::size_t taken = 0;
  for (const kernel::Member& member : members->processes) {
    if (taken == max_processes) {
      ++sample.dropped;
      continue;
    }
    if (TrackedProcess* process = track(proc, member.pid, sample)) {
      read_one(*process, member, proc, sample, number, now);
      ++taken;
    }
  }
  std::erase_if(processes_, [&](const auto& entry) { return entry.second.seen_in != number; });
  sample.truncated = members->truncated;
  sample.groups = std::move(members->groups);
  sample.read_seconds = std::chrono::duration<double>(Clock::now() - listed).count();
  return sample;
}

TrackedProcess* UnitTracker::track(int proc, pid_t pid, UnitSample& sample) {
  if (const auto known = processes_.find(pid); known != processes_.end()) return &known->second;
  auto process = TrackedProcess::open(proc, pid);
  if (!process) {
    // Out of descriptors is not a process that ended.
    const bool gone = process.error() == ReadOutcome::gone;
    ++(gone ? vanished_ : sample.read_errors);
    return nullptr;
  }
  ++seen_;
  return &processes_.emplace(pid, std::move(*process)).first->second;
}

void UnitTracker::read_one(TrackedProcess& process, const kernel::Member& member, int proc,
                           UnitSample& sample, std::uint64_t number, Clock::time_point now) {
  ReadOutcome outcome = process.read(buffer_, now);
  if (outcome == ReadOutcome::gone) {
    // Gone, or its pid already belongs to another process of the unit: then that one is new to us.
    ++vanished_;
    auto successor = TrackedProcess::open(proc, member.pid);
    if (!successor) return;
    process = std::move(*successor);
    outcome = process.read(buffer_, now);
    if (outcome == ReadOutcome::gone) return;
    ++seen_;
  }
  if (outcome == ReadOutcome::not_permitted) ++sample.permission_errors;
  if (outcome == ReadOutcome::failed) ++sample.read_errors;
  if (outcome != ReadOutcome::ok) return;
  process.seen_in = number;
  process.group = static_cast<std::uint32_t>(member.group);
}

TrackedProcess* UnitTracker::find(const ProcessId& id) {
  const auto found = processes_.find(id.pid);
  return found != processes_.end() && found->second.id() == id ? &found->second : nullptr;
}

}  // namespace allocd::observer
