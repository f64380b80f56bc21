// SPDX-License-Identifier: Apache-2.0
// Judges a unit and its processes against the policy: the five links of the chain, a state and a reason.
//
// A process is judged by the malloc it has; what systemd would set only explains a wrong one. So a process
// whose malloc is the wanted one is compliant however it came by it, and one whose malloc is not gets the
// reason of the first link that broke. What else the policy sets (MALLOC_CONF, GLIBC_TUNABLES, files beside
// the library) cannot be seen in a process, whose environment is never read: there the unit's setting and the
// times decide, and what the enforcer remembers of the unit's start. The worst process decides its unit;
// their order does not matter. Which processes count:
//   container_shim       never: it is not part of the service;
//   starting             as compliant if it already has the wanted malloc, else as not known yet;
//   not known yet        neither for nor against, and `unknown` if nothing else is known;
//   never to be known    (settled) keeps the unit from being compliant, and so does one that was not looked
//   at; not permitted        keeps the unit from being compliant: it could be anything; all others yes,
//   helpers such as resource_tracker and compile_worker too.
// A unit that sets no preload while every known process has the wanted malloc (a wrapper script exports it,
// the program is linked to it) is compliant: links 2 to 4 do not apply. state == compliant if and only if
// every link holds or does not apply.
//
// Which state a unit gets, the first that fits: exempt (no policy); unknown for want of systemd's view;
// inactive as not found or masked; not_enforceable; rolled_back, while nothing else asks for the preload; the
// worst wrong process's: violation, pending_restart, not_applied; inactive as down; what the setting alone
// says; unknown; compliant. A drop-in edited by hand is `tampered` where it does not do its work any more;
// where it does, the unit keeps its state and the link says so.
// Inputs are copied from what was seen; nothing here looks at a clock or at the machine. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "allocator/kind.hpp"
#include "engine/engine.hpp"
#include "policy/assessment.hpp"
#include "policy/desired.hpp"
#include "settings/settings.hpp"
#include "unitfile/environment.hpp"

namespace allocd::policy {

struct ProcessFacts {
  std::int32_t pid = 0;
  engine::Role role = engine::Role::other;
  double started_at = 0;                  // seconds since the epoch
  bool is_main = true;                    // the unit's main process, or which one that is is not known
  bool permitted = true;                  // false: its memory map may not be read
  bool settled = false;                   // read as far as it can be: what is unknown now stays unknown
  std::optional<allocator::Kind> active;  // nothing: not known yet, or unreadable
  allocator::Rung rung = allocator::Rung::none;
  bool is_static = false;              // no dynamic linker
  bool wanted_is_mapped_idle = false;  // the wanted library is mapped, malloc resolves elsewhere
  std::string active_path;             // library that owns malloc, for evidence; may be empty
  std::string idle_path;               // the idle library, for evidence; may be empty
};

// What the unit's files come to for LD_PRELOAD, and for what else a policy sets.
struct PreloadSources {
  unitfile::Variable variable;
  std::vector<std::string> unread;                   // environment files that may not be read, and would win
  std::map<std::string, unitfile::Variable> others;  // MALLOC_CONF and GLIBC_TUNABLES
  unitfile::Environment own;                         // all three, without allocd's own files
};

// Whether the unit has started since allocd's drop-in was loaded, as the enforcer remembers it.
enum class KnownStart { unknown, before, after };

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
  bool is_quadlet = false;  // made from a .container file: `environment` is what its client is told to set
  bool has_environment_files = false;  // without `files` their content is not known, and wins
  std::vector<std::string> unset_environment;
  // Computed from the files. Not used where it says other than `environment`: then systemd has read others.
  std::optional<PreloadSources> files;
  std::string drop_in_path;       // where our own drop-in is or would be
  bool drop_in_present = false;   // on disk
  bool drop_in_loaded = false;    // in systemd's DropInPaths
  bool is_tampered = false;       // on disk, and edited by hand
  std::string rolled_back;        // why our drop-in was taken back; "" when it was not
  bool reverted_by_hand = false;  // an operator did that, not the fuse
  bool starts_script = false;     // a shell stands between systemd and the program
  bool main_has_wanted = false;   // the main process's malloc is the wanted one
  std::vector<std::vector<std::string>> exec_start;
  std::string root_directory;
  std::vector<Assignment> wanted_variables;  // decide_wanted_variables
  KnownStart start = KnownStart::unknown;
  std::uint64_t unseen = 0;  // processes it has that are not among those handed in
};

// What the setting comes to. Costs more than one process does: decide it once per unit and sample.
enum class Setting {
  asks,          // systemd sets the wanted preload
  silent,        // no preload is asked for, as far as can be seen
  contradicts,   // another allocator's preload is set
  overridden,    // the wanted preload is asked for and then taken away
  not_loaded,    // on disk, not yet read by systemd
  deleted,       // loaded, and gone from the disk
  tampered,      // our drop-in was edited and does not ask for it any more
  incomplete,    // another variable of the policy is not set, or not to what it asks for
  no_bus,        // systemd's view is missing
  out_of_reach,  // a container or a foreign cgroup: no setting of the unit reaches the payload
};
struct SettingView {
  Setting setting = Setting::no_bus;
  double loaded_at = 0;
  Link on_disk;
  Link loaded;
  std::vector<std::string> named;  // every entry of every LD_PRELOAD that systemd reads for this unit
  bool starts_script = false;
  bool main_has_wanted = false;
  Setting variables = Setting::asks;  // what else the policy sets; `asks` also where that is nothing
  bool wants_variables = false;
  KnownStart start = KnownStart::unknown;
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
