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
#include <queue>
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

  // Asks for the evidence that is due. Costs what is due, not what is watched.
  void submit_due(Clock::time_point now, const settings::Observe& pace);
  // When evidence is due next; nothing when no process is watched.
  [[nodiscard]] std::optional<Clock::time_point> next_due() const;
  // Takes what the pool has found. True when something became known that was not.
  bool take_evidence();

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

  // Reads that met their deadline since the last call, for the journal: unit and pid.
  struct TimedOut {
    std::string unit;
    pid_t pid;
  };
  [[nodiscard]] std::vector<TimedOut> take_timed_out();

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
  void index_processes();
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
  kernel::CgroupTree tree_;
  UnitMemoryWatch memory_;
  kernel::SystemFacts system_;
  base::UniqueFd proc_;
  std::map<std::string, UnitTracker> trackers_;  // by unit name or cgroup path
  std::map<std::string, snapshot::Collector> collectors_;
  std::vector<TimedOut> timed_out_;
  std::set<std::string> partly_seen_;  // units of the last sample

  // The processes of the last sample, by id; one that belongs to two units is there twice. Good until the
  // next.
  struct Watched {
    ProcessId id;
    TrackedProcess* process;
    const std::string* unit;
  };
  void ask(const Watched& watched, Clock::time_point now, const settings::Observe& pace);
  std::vector<Watched> watched_;
  // When to look at which of them; the soonest on top.
  using Due = std::pair<Clock::time_point, std::size_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  bool pool_was_full_ = false;  // since the last sample
  std::uint64_t number_ = 0;
  double evidence_seconds_ = 0;
};

}  // namespace allocd::observer
