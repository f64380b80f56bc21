// SPDX-License-Identifier: Apache-2.0
#include "observer/assess.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "kernel/system.hpp"
#include "policy/preload.hpp"

namespace allocd::observer {

namespace {

// An interpreter that has said nothing of itself for so long is taken for what it is.
constexpr double kStartingFor = 120;

policy::ProcessFacts to_facts(const snapshot::Process& process, settings::Wanted wanted, bool pending,
                              double now) {
  using allocator::LibraryState;
  using allocator::Rung;
  policy::ProcessFacts facts;
  facts.pid = process.pid;
  const bool lapsed = process.role == engine::Role::starting && now - process.started_at > kStartingFor;
  facts.role = lapsed ? engine::Role::other : process.role;
  facts.started_at = process.started_at;
  facts.rung = process.evidence.rung;
  facts.permitted = process.reason != policy::Reason::not_permitted;
  facts.is_static = process.evidence.rung == Rung::fingerprint;
  const bool proved = facts.rung == Rung::resolved || facts.rung == Rung::fingerprint;
  const bool known = proved && process.evidence.active != allocator::Kind::unknown;
  if (known) facts.active = process.evidence.active;
  facts.settled = !known && !pending;
  const auto kind = policy::wanted_kind(wanted);
  for (const auto& library : process.evidence.libraries) {
    if (library.state == LibraryState::active) facts.active_path = library.path;
    if (library.state == LibraryState::mapped_not_active && kind == library.kind) {
      facts.wanted_is_mapped_idle = true;
      facts.idle_path = library.path;
    }
  }
  return facts;
}

policy::KnownStart decide_start(const snapshot::DropIn& drop_in) {
  using policy::DropInPhase;
  using policy::KnownStart;
  const bool is_in_force = drop_in.loaded && drop_in.state == policy::DropInState::intact;
  if (!is_in_force || drop_in.phase == DropInPhase::none || drop_in.phase == DropInPhase::rolled_back)
    return KnownStart::unknown;
  const bool is_waiting = drop_in.phase == DropInPhase::waiting && !drop_in.restarted;
  return is_waiting ? KnownStart::before : KnownStart::after;
}

}  // namespace

policy::UnitSetting make_unit_setting(const snapshot::Unit& unit, const host::UnitFacts* facts,
                                      const Gaps& gaps) {
  policy::UnitSetting setting;
  setting.source = unit.source;
  setting.unseen = gaps.unseen;
  // The last view stays good while the bus is away; one that systemd has not given yet is none.
  setting.bus_available = facts != nullptr && !facts->load_state.empty();
  if (facts == nullptr) return setting;
  setting.load_state = facts->load_state;
  setting.active_state = facts->active_state;
  setting.fragment_path = facts->fragment_path;
  setting.need_daemon_reload = facts->need_daemon_reload;
  setting.environment = facts->environment;
  setting.has_environment_files = !facts->environment_files.empty();
  setting.unset_environment = facts->unset_environment;
  setting.exec_start = facts->exec_start;
  setting.root_directory = facts->root_directory;
  return setting;
}

void add_files(const UnitFilesView& files, policy::UnitSetting& setting, snapshot::Unit& unit) {
  unit.environment = files.environment;
  unit.drop_in = files.drop_in;
  setting.files = files.preload;
  setting.drop_in_path = files.drop_in.path;
  setting.drop_in_present = files.drop_in.state != policy::DropInState::absent;
  setting.drop_in_loaded = files.drop_in.loaded;
  setting.is_tampered = files.drop_in.state == policy::DropInState::tampered;
  setting.starts_script = files.starts_script;
  setting.is_quadlet = files.is_quadlet;
  if (!files.is_quadlet) return;
  // What the service itself has, the container does not.
  setting.environment = policy::list_container_environment(setting.exec_start);
  setting.unset_environment.clear();
  setting.has_environment_files = false;
  setting.starts_script = false;
}

void add_record(const enforcer::TargetRecord& record, const host::UnitFacts& facts,
                policy::UnitSetting& setting, snapshot::Unit& unit) {
  describe_drop_in(record, facts, unit.drop_in);
  setting.start = decide_start(unit.drop_in);
  // Latched before its files are gone: until then they are what counts.
  if (setting.drop_in_present) return;
  setting.rolled_back = record.rolled_back;
  setting.reverted_by_hand = record.rolled_back == enforcer::kRevertedByHand;
}

void assess(snapshot::Unit& unit, policy::UnitSetting setting, const Gaps& gaps) {
  const double now = kernel::realtime_now();
  const auto wanted = policy::wanted_kind(unit.wanted);
  std::vector<policy::ProcessFacts> facts;
  facts.reserve(unit.processes.size());
  for (const auto& process : unit.processes) {
    auto& one = facts.emplace_back(
        to_facts(process, unit.wanted, std::ranges::binary_search(gaps.pending, process.pid), now));
    const bool is_main = std::cmp_equal(process.pid, unit.main_pid);
    one.is_main = is_main || unit.main_pid == 0;
    setting.main_has_wanted = setting.main_has_wanted || (is_main && wanted && one.active == wanted);
  }
  const policy::SettingView view = policy::decide_setting(unit.wanted, setting);
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const auto [state, reason] = policy::assess_process(unit.wanted, view, facts[i]);
    unit.processes[i].state = state;
    unit.processes[i].reason = reason;
  }
  unit.assessment = policy::assess_unit(unit.wanted, setting, facts);
  if (unit.assessment.state == policy::State::pending_restart) {
    const double since = view.loaded_at > 0 ? view.loaded_at : unit.drop_in.applied_at;
    unit.pending_restart_seconds = since > 0 ? std::max(0.0, now - since) : 0;
  }
}

}  // namespace allocd::observer
