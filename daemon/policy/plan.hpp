// SPDX-License-Identifier: Apache-2.0
// The plan: which drop-in files would be written or removed, what they would hold, and why, or what stands in
// the way. One value: the text, the JSON, the dry run and what is applied are all made from it.
//
// Facts in, plan out; nothing here looks at the machine, so a second plan over what the first one wrote is
// empty. A change is planned only where it works: the texts are put among the unit's own files and the
// environment is computed again; what would still beat them blocks the item, with its place. Pure; any
// thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/closed_enum.hpp"
#include "policy/desired.hpp"
#include "settings/settings.hpp"
#include "unitfile/drop_in_text.hpp"
#include "unitfile/environment.hpp"

namespace allocd::policy {

enum class Action { keep, write, remove, blocked };
inline constexpr base::EnumNames<Action, 4> kActionNames{{"keep", "write", "remove", "blocked"}};

enum class PlanReason {
  in_place,                // keep: the files hold what they should
  not_needed,              // keep: nothing of ours is there and nothing is asked for
  yields,                  // keep: precedence: yield, and the unit preloads an allocator itself
  unit_not_found,          // keep: nothing to write for
  to_apply,                // write: the policy is not on disk
  to_update,               // write: the policy, the library or the unit has changed
  no_policy,               // remove: the policy asks for nothing any more
  to_revert,               // remove: asked for by hand
  tampered,                // blocked: our file was edited by hand
  foreign_file,            // blocked: a file that is not ours has the name, or is no regular file
  unset_by_unit,           // blocked: UnsetEnvironment= takes the variable away
  overridden_by_drop_in,   // blocked: a drop-in that sorts later wins
  overridden_by_file,      // blocked: an EnvironmentFile= that ours cannot follow wins
  environment_unreadable,  // blocked: an EnvironmentFile= cannot be read, so merging would be a guess
  unit_unreadable,         // blocked: a unit file cannot be read or understood
  secure_execution,        // blocked: a setuid program or one with file capabilities drops LD_PRELOAD
  static_program,          // blocked: no dynamic linker
  musl_program,            // blocked: a library built for glibc stops it from starting
  library_not_found,       // blocked
  library_absent_in_root,  // blocked: RootDirectory= does not hold the library
  root_image,              // blocked: RootImage= cannot be looked into
  container,               // blocked: ExecStart= starts a container client
  transient_unit,          // blocked: a unit made at run time is gone after its next stop
  rolled_back,             // blocked: the fuse took it back, and nothing has changed since
  reverted_by_hand,        // blocked: an operator took it back, and nothing has changed since
  preflight_failed         // blocked: the library did not pass on this host
};
inline constexpr base::EnumNames<PlanReason, 26> kPlanReasonNames{{"in_place",
                                                                   "not_needed",
                                                                   "yields",
                                                                   "unit_not_found",
                                                                   "to_apply",
                                                                   "to_update",
                                                                   "no_policy",
                                                                   "to_revert",
                                                                   "tampered",
                                                                   "foreign_file",
                                                                   "unset_by_unit",
                                                                   "overridden_by_drop_in",
                                                                   "overridden_by_file",
                                                                   "environment_unreadable",
                                                                   "unit_unreadable",
                                                                   "secure_execution",
                                                                   "static_program",
                                                                   "musl_program",
                                                                   "library_not_found",
                                                                   "library_absent_in_root",
                                                                   "root_image",
                                                                   "container",
                                                                   "transient_unit",
                                                                   "rolled_back",
                                                                   "reverted_by_hand",
                                                                   "preflight_failed"}};

// A file of ours, as it lies on disk.
struct OwnedFile {
  std::string path;
  bool is_regular = true;  // and owned by root
  std::string text;
  bool operator==(const OwnedFile&) const = default;
};

enum class ProgramKind { dynamic_glibc, dynamic_musl, static_program, unknown };

// What UnitInput::rolled_back says when nobody but an operator took a drop-in away.
inline constexpr const char* kRevertedByHand = "reverted by hand";

// Everything the plan has to know about one unit.
struct UnitInput {
  std::string name;                            // "vllm@a.service"
  const settings::Service* service = nullptr;  // nothing: no policy selects it
  settings::Persist persist = settings::Persist::system;
  bool covers_template = false;  // its selector takes every instance, and no other service selects one
  std::string load_state;
  std::string fragment_path;
  std::string source_path;  // the quadlet it was made from
  std::vector<unitfile::SourceText>
      quadlet;  // and its text, then its drop-ins; none when they cannot be read
  std::vector<std::vector<std::string>> exec_start;
  std::string root_directory;
  std::string root_image;
  unitfile::UnitSources sources;   // with our own drop-in, if systemd would load it
  std::vector<OwnedFile> on_disk;  // all files of our name that reach it, present ones only
  std::string library;             // path to preload; "" when there is none
  std::string library_problem;     // why there is none
  bool library_is_unfit = false;   // one was found, and library_problem says why it will not do
  bool library_in_root = true;     // found below root_directory too
  bool library_is_bound = false;   // BindPaths= shows the host's own at its own place
  ProgramKind program = ProgramKind::unknown;
  bool is_secure_execution = false;  // LD_PRELOAD will be dropped (ld.so(8), "Secure-execution mode")
  std::string rolled_back;           // why the fuse took it back; "" when it did not or is to be tried again
};

struct FileChange {
  std::string path;
  std::optional<std::string> before;  // nothing: the file is not there
  std::optional<std::string> after;   // nothing: it is to go
  bool operator==(const FileChange&) const = default;
};

struct PlanItem {
  std::string target;              // whose drop-in it is: "vllm.service", "vllm@.service", or the quadlet
  std::vector<std::string> units;  // loaded units it reaches, sorted
  std::string service;             // name of the policy; "" when there is none any more
  Action action = Action::keep;
  PlanReason reason = PlanReason::in_place;
  std::string sentence;  // why, for people: one sentence, with places
  std::vector<std::string> notes;
  std::vector<FileChange> files;         // those that change
  std::vector<Assignment> environment;   // what the units will have
  std::vector<std::string> owned_paths;  // our files of this target, after it
  bool operator==(const PlanItem&) const = default;
};

struct Plan {
  std::vector<PlanItem> items;  // by target
  [[nodiscard]] bool has_changes() const;
  [[nodiscard]] bool has_blocked() const;
  bool operator==(const Plan&) const = default;
};

struct PlanOptions {
  std::string version;         // of allocd, for the header
  bool take_tampered = false;  // --force: rewrite or remove our files that were edited by hand
};

[[nodiscard]] Plan decide_plan(const std::vector<UnitInput>& units, const PlanOptions& options);

// What reverting comes to: our files of these targets go. `tampered` ones are blocked unless taken.
[[nodiscard]] Plan decide_revert(const std::vector<OwnedFile>& files, const PlanOptions& options);

// Turns an item into a blocked one.
void block(PlanItem& item, PlanReason reason, std::string sentence);

// After items of a plan were blocked: blocks what would take away a file of a unit that is stuck, which keeps
// what it has.
void spare_stuck_units(Plan& plan);

}  // namespace allocd::policy
