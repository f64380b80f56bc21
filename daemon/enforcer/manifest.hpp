// SPDX-License-Identifier: Apache-2.0
// What the enforcer remembers between runs: which targets it wrote, and the fuse of each unit they reach.
//
// Kept as JSON in its state directory, world-readable: the observer shows phases and counters from it. Losing
// it loses no drop-in (their own headers say whose they are), only the fuse's memory and the counters. A file
// that cannot be understood is moved aside, never overwritten. Written whole (temporary file, fsync, rename).
// What units last said, which may be anybody's secret, is in a file of its own beside it that only root
// reads.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "host/root.hpp"
#include "policy/fuse.hpp"
#include "policy/plan.hpp"

namespace allocd::enforcer {

struct UnitRecord {
  policy::FuseMemory fuse;
  bool restarted_by_us = false;
  bool is_owed = false;  // the fuse took its drop-in back, and it is still to be started without it
  bool operator==(const UnitRecord&) const = default;
};

// What is known of a unit's start, kept for when the same text is written again: it needs no restart then.
struct StartRecord {
  std::string environment;  // as in TargetRecord
  UnitRecord unit;
  bool operator==(const StartRecord&) const = default;
};

// `loaded_at` of what systemd has not read yet.
inline constexpr double kNotLoaded = -1;

struct TargetRecord {
  std::string service;                        // the policy's name
  std::string digest;                         // of what was asked for, and of the library's file
  std::vector<std::string> paths;             // our files
  std::vector<std::string> made_directories;  // those of `paths` that were not there before
  bool automatic = false;                     // written by enforcement, not by hand
  double applied_at = 0;                      // seconds since the epoch
  double loaded_at = 0;     // seconds of CLOCK_MONOTONIC when systemd had read it; 0: before this boot
  std::string environment;  // digest of the variables that are set; "": not known
  std::map<std::string, UnitRecord> units;
  std::string rolled_back;  // why the fuse took it back; "" when it did not
  double rolled_back_at = 0;
  std::vector<std::string> journal;  // the unit's last lines then
  bool operator==(const TargetRecord&) const = default;
};

struct LastRun {
  double at = 0;
  std::string verb;  // reconcile, apply, revert
  bool success = true;
  std::string error;          // "" or one line
  std::uint32_t changed = 0;  // targets written or removed
  std::uint32_t blocked = 0;
  bool operator==(const LastRun&) const = default;
};

// What a plan came to that was not for some units alone, before any of it was carried out.
struct LastPlan {
  double at = 0;
  std::uint32_t changes = 0;  // targets to be written or removed
  std::uint32_t blocked = 0;
  bool operator==(const LastPlan&) const = default;
};

struct Manifest {
  std::map<std::string, TargetRecord> targets;
  std::map<std::string, StartRecord> starts;  // by unit: of text that was replaced or taken away
  std::uint64_t boot = 0;           // of which boot the monotonic times are (SystemdControl::boot_usec)
  std::uint64_t applied_total = 0;  // targets written, since the state directory was made
  std::uint64_t reverted_total = 0;
  std::uint64_t rolled_back_total = 0;
  std::uint64_t restarts_total = 0;
  bool reload_needed = false;          // files were changed, and systemd has not read its files since
  std::vector<double> automatic_runs;  // when; the last ones, for the rate limit
  // By target: what was last told of it to the journal, while it is blocked.
  std::map<std::string, std::string> blocked;
  LastRun last_run;
  LastPlan last_plan;
  bool operator==(const Manifest&) const = default;
};

inline constexpr const char* kStateDirectory = "/var/lib/allocd-enforcer";
// What `rolled_back` says when nobody but the operator took a drop-in away.
inline constexpr const char* kRevertedByHand = policy::kRevertedByHand;
inline constexpr const char* kManifestName = "manifest.json";
inline constexpr const char* kLastWordsName = "last-words.json";

[[nodiscard]] std::string render_manifest(const Manifest& manifest);
// Anything hostile or truncated is a Fault; a newer schema_version is refused.
[[nodiscard]] base::Result<Manifest> parse_manifest(std::string_view text);

// The journal lines of every target, and back into it. Lines that cannot be understood are none.
[[nodiscard]] std::string render_last_words(const Manifest& manifest);
void parse_last_words(std::string_view text, Manifest& manifest);

// An absent file is an empty manifest. Without the journal lines, for those who may not read them.
[[nodiscard]] base::Result<Manifest> read_manifest(const host::Root& root, const std::string& directory);
// As read_manifest; one that cannot be parsed is renamed to manifest.json.bad-<seconds>, told in `moved_to`.
[[nodiscard]] base::Result<Manifest> take_manifest(const host::Root& root, const std::string& directory,
                                                   std::string& moved_to);
[[nodiscard]] base::Result<void> write_manifest(const host::Root& root, const std::string& directory,
                                                const Manifest& manifest);

}  // namespace allocd::enforcer
