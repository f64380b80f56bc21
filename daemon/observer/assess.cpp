// SPDX-License-Identifier: Apache-2.0
#include "observer/assess.hpp"

#include <algorithm>
#include <vector>

#include "host/drop_in.hpp"
#include "kernel/system.hpp"

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

}  // namespace

policy::UnitSetting make_unit_setting(const host::Root& root, PreloadFiles& files, const snapshot::Unit& unit,
                                      const host::UnitFacts* facts, double units_loaded_at,
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
  if (unit.wanted == settings::Wanted::any) return setting;
  setting.loaded_at = files.loaded_at(*facts, units_loaded_at);
  for (const auto& path : host::drop_in_paths_of(facts->name)) {
    if (!setting.drop_in_path.empty() && setting.drop_in_present) break;
    setting.drop_in_path = path;
    setting.drop_in_loaded = std::ranges::count(facts->drop_in_paths, path) > 0;
    setting.drop_in_present = setting.drop_in_loaded || root.exists(path);
  }
  return setting;
}

void assess(snapshot::Unit& unit, const policy::UnitSetting& setting, const Gaps& gaps) {
  const policy::SettingView view = policy::decide_setting(unit.wanted, setting);
  const double now = kernel::realtime_now();
  std::vector<policy::ProcessFacts> facts;
  facts.reserve(unit.processes.size());
  for (auto& process : unit.processes) {
    facts.push_back(
        to_facts(process, unit.wanted, std::ranges::binary_search(gaps.pending, process.pid), now));
    const auto [state, reason] = policy::assess_process(unit.wanted, view, facts.back());
    process.state = state;
    process.reason = reason;
  }
  unit.assessment = policy::assess_unit(unit.wanted, setting, facts);
}

}  // namespace allocd::observer
