// SPDX-License-Identifier: Apache-2.0
// Judges a unit and its processes against the policy: the five links of the chain, a state and a reason.
//
// A process is judged by the malloc it has; what systemd would set only explains a wrong one. So a process
// whose malloc is the wanted one is compliant however it came by it, and one whose malloc is not gets the
// reason of the first link that broke. The worst process decides its unit; their order does not matter. Which
// processes count:
//   container_shim       never: it is not part of the service;
//   starting             as compliant if it already has the wanted malloc, else as not known yet;
//   not known yet        neither for nor against, and `unknown` if nothing else is known;
//   never to be known    (settled) keeps the unit from being compliant, and so does one that was not looked
//   at; not permitted        keeps the unit from being compliant: it could be anything; all others yes,
//   helpers such as resource_tracker and compile_worker too.
// A unit that sets no preload while every known process has the wanted malloc (a wrapper script exports it,
// the program is linked to it, an EnvironmentFile= holds it) is compliant: links 2 to 4 do not apply. state
// == compliant if and only if every link holds or does not apply. Inputs are copied from what was seen;
// nothing here looks at a clock or at the machine. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "allocator/kind.hpp"
#include "engine/engine.hpp"
#include "policy/assessment.hpp"
#include "settings/settings.hpp"

namespace allocd::policy {

struct ProcessFacts {
  std::int32_t pid = 0;
  engine::Role role = engine::Role::other;
  double started_at = 0;                  // seconds since the epoch
  bool permitted = true;                  // false: its memory map may not be read
  bool settled = false;                   // read as far as it can be: what is unknown now stays unknown
  std::optional<allocator::Kind> active;  // nothing: not known yet, or unreadable
  allocator::Rung rung = allocator::Rung::none;
  bool is_static = false;              // no dynamic linker
  bool wanted_is_mapped_idle = false;  // the wanted library is mapped, malloc resolves elsewhere
  std::string active_path;             // library that owns malloc, for evidence; may be empty
  std::string idle_path;               // the idle library, for evidence; may be empty
};

// What systemd would give the unit's processes.
struct UnitSetting {
  settings::SelectorKind source = settings::SelectorKind::unit;
  bool bus_available = false;  // false: nothing below is known
  std::string load_state;
  std::string active_state;
  std::string fragment_path;
  bool need_daemon_reload = false;
  double loaded_at = 0;  // when the newest file that sets the preload was written, 0 if unknown
  std::vector<std::string> environment;
  bool has_environment_files = false;  // their content is not visible, and wins over `environment`
  std::vector<std::string> unset_environment;
  std::string drop_in_path;      // where our own drop-in is or would be
  bool drop_in_present = false;  // in systemd's DropInPaths, or on disk
  bool drop_in_loaded = false;   // in systemd's DropInPaths
  std::vector<std::vector<std::string>> exec_start;
  std::string root_directory;
  std::uint64_t unseen = 0;  // processes it has that are not among those handed in
};

// What the setting comes to. Costs more than one process does: decide it once per unit and sample.
enum class Setting {
  asks,          // systemd sets the wanted preload
  silent,        // no preload is asked for, as far as can be seen
  contradicts,   // another allocator's preload is set
  overridden,    // the wanted preload is asked for and then taken away
  not_loaded,    // on disk, not yet read by systemd
  no_bus,        // systemd's view is missing
  out_of_reach,  // a container or a foreign cgroup: no setting of the unit reaches the payload
};
struct SettingView {
  Setting setting = Setting::no_bus;
  double loaded_at = 0;
  Link on_disk;
  Link loaded;
};
[[nodiscard]] SettingView decide_setting(settings::Wanted wanted, const UnitSetting& setting);

using StateAndReason = std::pair<State, Reason>;
[[nodiscard]] StateAndReason assess_process(settings::Wanted wanted, const SettingView& view,
                                            const ProcessFacts& process);
[[nodiscard]] StateAndReason assess_process(settings::Wanted wanted, const UnitSetting& setting,
                                            const ProcessFacts& process);

[[nodiscard]] Assessment assess_unit(settings::Wanted wanted, const UnitSetting& setting,
                                     std::span<const ProcessFacts> processes);

// The allocator a policy word stands for; nothing for `any`.
[[nodiscard]] std::optional<allocator::Kind> wanted_kind(settings::Wanted wanted);

}  // namespace allocd::policy
