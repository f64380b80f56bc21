// SPDX-License-Identifier: Apache-2.0
// Takes samples: units as systemd gives them, their processes as /proc does, their allocators as the pool
// found.
//
// Everything read here is cheap and cannot block on a watched process; what can is in the evidence pool. One
// unit's trouble stays in its own entry. Single-threaded, on the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/root.hpp"
#include "host/unit_manager.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/system.hpp"
#include "observer/assess.hpp"
#include "observer/enforcement_trigger.hpp"
#include "observer/enforcer_view.hpp"
#include "observer/evidence_pool.hpp"
#include "observer/evidence_schedule.hpp"
#include "observer/policy_digests.hpp"
#include "observer/preload_files.hpp"
#include "observer/unit_files.hpp"
#include "observer/unit_memory.hpp"
#include "observer/unit_tracker.hpp"
#include "settings/settings.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

class Sampler {
 public:
  Sampler(const host::Root& root, EvidencePool& pool);

  // Reads everything cheap; fills `units`, `collectors` and the machine's facts. The rest is the caller's.
  snapshot::Snapshot sample(const settings::Settings& settings,
                            const std::map<std::string, host::UnitFacts>& units, const host::BusState& bus,
                            Clock::time_point now);

  // Drop-ins or the enforcer's manifest have changed: the next sample reads them, whatever their times say.
  void distrust_files() { unit_files_.distrust(); }
  [[nodiscard]] const std::set<std::string>& drop_in_directories() const { return unit_files_.directories(); }
  [[nodiscard]] const std::string& manifest_directory() const { return enforcer_.directory(); }
  // The processes of a unit, as of the last sample.
  void visit_processes(const std::string& unit,
                       const std::function<void(const TrackedProcess&)>& visit) const;
  // Whether every process of a unit could be read for the last sample: only then are sums over them the
  // unit's.
  [[nodiscard]] bool is_whole(const std::string& unit) const { return !partly_seen_.contains(unit); }
  // Of the enforced units of the last sample.
  [[nodiscard]] const GroundsByUnit& grounds() const { return grounds_; }
  // Trouble of the enforcing side, for the next sample to show; "" for none.
  void note_enforcement_problem(std::string problem) { enforcement_problem_ = std::move(problem); }
  // When the processes of the last sample are looked into; the caller drives it between samples.
  [[nodiscard]] EvidenceSchedule& evidence() { return schedule_; }

 private:
  struct Run;  // one sample in the making
  void refresh_machine(const host::BusState& bus);
  Gaps sample_unit(Run& run, snapshot::Unit& unit);
  void add_unit(Run& run, const host::UnitFacts& facts);
  [[nodiscard]] policy::UnitSetting make_setting(const Run& run, snapshot::Unit& unit,
                                                 const host::UnitFacts& facts, const Gaps& gaps);
  void note_grounds(const Run& run, const snapshot::Unit& unit, const host::UnitFacts& facts,
                    const UnitFilesView& files, const enforcer::TargetRecord* record);
  void add_cgroups(Run& run);
  void add_process(Run& run, snapshot::Unit& unit, const UnitSample& sample, const TrackedProcess& process);
  void finish(Run& run);
  void note_evidence(std::uint64_t failures);
  void note_memory();
  void note_collector(const std::string& name, bool success, double duration, std::string error);

  const host::Root& root_;
  PreloadFiles preload_files_;
  UnitFiles unit_files_;
  unitfile::Machine machine_;
  std::optional<std::uint64_t> machine_read_;  // units_load_usec then
  std::string systemd_version_;                // likewise
  EnforcerView enforcer_;
  PolicyDigests policy_digests_;
  GroundsByUnit grounds_;
  std::string enforcement_problem_;
  EvidencePool& pool_;
  EvidenceSchedule schedule_;
  kernel::CgroupTree tree_;
  UnitMemoryWatch memory_;
  kernel::SystemFacts system_;
  base::UniqueFd proc_;
  std::map<std::string, UnitTracker> trackers_;  // by unit name or cgroup path
  std::map<std::string, snapshot::Collector> collectors_;
  std::set<std::string> partly_seen_;  // units of the last sample
  std::uint64_t number_ = 0;
  double evidence_seconds_ = 0;
};

}  // namespace allocd::observer
