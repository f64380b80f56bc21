// SPDX-License-Identifier: Apache-2.0
// From facts and policy to a state, a reason and the five links of the chain (ARCHITECTURE.md, "The chain").
// Pure; no clock, no I/O. Reasons are a closed set of snake_case words: they become metric labels.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "allocator/kind.hpp"
#include "base/closed_enum.hpp"
#include "settings/settings.hpp"

namespace allocd::policy {

enum class State {
  compliant,
  pending_restart,
  not_applied,
  violation,
  not_enforceable,
  rolled_back,
  inactive,
  exempt,
  unknown
};
inline constexpr base::EnumNames<State, 9> kStateNames{{"compliant", "pending_restart", "not_applied",
                                                        "violation", "not_enforceable", "rolled_back",
                                                        "inactive", "exempt", "unknown"}};

enum class Reason {
  none,               // compliant
  no_policy,          // exempt: the policy asks for nothing
  unit_not_found,     // inactive: systemd does not know the unit
  unit_masked,        // inactive
  unit_down,          // inactive: loaded, no process
  not_configured,     // not_applied: nothing on disk asks for the library, or for a variable of the policy
  not_loaded,         // not_applied: on disk, but systemd wants a daemon-reload first
  overridden,         // violation: a later setting takes the preload away
  started_before,     // pending_restart: the process is older than the setting, or one of its variables
  other_allocator,    // violation: malloc resolves to another library, the wanted one is not mapped
  mapped_not_active,  // violation: the wanted library is mapped, malloc resolves elsewhere
  preload_lost,       // violation: configured and loaded, absent from the process
  unreachable,        // not_enforceable: the payload is in a container or cgroup no unit of ours starts
  static_program,     // violation: no dynamic linker, no preload possible
  not_permitted,      // unknown
  unreadable,         // unknown: no evidence yet, or the read failed
  bus_unavailable,    // unknown: systemd's view is missing
  overridden_by_wrapper,  // violation: a script between systemd and the process has set LD_PRELOAD anew
  overridden_by_runtime,  // violation: the program itself puts another allocator before the wanted one
  tampered,               // not_applied: our drop-in was edited by hand and does not do it any more
  fuse,                   // rolled_back: the unit did not live under our drop-in, which was taken back
  reverted_by_hand        // rolled_back: an operator took our drop-in back
};
inline constexpr base::EnumNames<Reason, 22> kReasonNames{{"none",
                                                           "no_policy",
                                                           "unit_not_found",
                                                           "unit_masked",
                                                           "unit_down",
                                                           "not_configured",
                                                           "not_loaded",
                                                           "overridden",
                                                           "started_before",
                                                           "other_allocator",
                                                           "mapped_not_active",
                                                           "preload_lost",
                                                           "unreachable",
                                                           "static_program",
                                                           "not_permitted",
                                                           "unreadable",
                                                           "bus_unavailable",
                                                           "overridden_by_wrapper",
                                                           "overridden_by_runtime",
                                                           "tampered",
                                                           "fuse",
                                                           "reverted_by_hand"}};

// Our drop-in of a unit, as it lies on disk.
enum class DropInState {
  absent,
  intact,     // ours, byte for byte
  tampered,   // ours, and edited since
  foreign,    // somebody else's file of our name, or no plain file of root's
  unreadable  // there, and not for us to read
};
inline constexpr base::EnumNames<DropInState, 5> kDropInStateNames{
    {"absent", "intact", "tampered", "foreign", "unreadable"}};

// How far a unit has come under it, as the enforcer remembers it (fuse.hpp).
enum class DropInPhase { none, waiting, settling, settled, rolled_back };
inline constexpr base::EnumNames<DropInPhase, 5> kDropInPhaseNames{
    {"none", "waiting", "settling", "settled", "rolled_back"}};

enum class Verdict { holds, fails, unknown, not_applicable };
inline constexpr base::EnumNames<Verdict, 4> kVerdictNames{{"holds", "fails", "unknown", "not_applicable"}};

inline constexpr std::size_t kLinkCount = 5;
inline constexpr std::array<std::string_view, kLinkCount> kLinkNames{"policy", "on_disk", "loaded",
                                                                     "started_after", "resolved"};
struct Link {
  Verdict verdict = Verdict::unknown;
  std::string evidence;  // one plain sentence: what was seen, and where
  bool operator==(const Link&) const = default;
};

struct Assessment {
  State state = State::unknown;
  Reason reason = Reason::unreadable;
  std::array<Link, kLinkCount> chain;
  bool operator==(const Assessment&) const = default;
};

}  // namespace allocd::policy
