// SPDX-License-Identifier: Apache-2.0
// The environment systemd would give a unit's processes, computed from the files, with the place of every
// contribution.
//
// In systemd's order, later wins (systemd.exec(5)): the manager's environment (DefaultEnvironment= and
// `systemctl set-environment` included, which need no PassEnvironment=), PassEnvironment= (from the block of
// process 1 itself, which is another), Environment=, EnvironmentFile=, UnsetEnvironment=. An empty assignment
// resets its own list. Not here: what systemd adds to each process by itself (HOME, USER, INVOCATION_ID, ...;
// all weaker than PassEnvironment=) and PAM modules (named as a doubt). Pure: files come in as text, in
// systemd's order. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/closed_enum.hpp"
#include "unitfile/specifiers.hpp"

namespace allocd::unitfile {

// A unit file, a drop-in or an environment file as text, with the name systemd knows it by.
struct SourceText {
  std::string path;
  std::string text;
  bool operator==(const SourceText&) const = default;
};

// What an EnvironmentFile= path turned out to hold at the time of reading.
struct EnvironmentFileText {
  enum class Outcome {
    read,
    absent,      // no file, no match of the pattern, a directory: no start, unless '-' allows it
    unreadable,  // there, but not to us, or not a regular file: what it sets is not known
  };
  Outcome outcome = Outcome::absent;
  std::vector<SourceText> files;  // several when the path is a glob, sorted as systemd sorts them
  std::string cause;              // of `unreadable`
};

enum class Origin { manager, pass_environment, environment, environment_file, unset_environment };
inline constexpr base::EnumNames<Origin, 5> kOriginNames{
    {"manager", "pass_environment", "environment", "environment_file", "unset_environment"}};

// A line of a unit file; path "" is no place.
struct Place {
  std::string path;
  std::uint32_t line = 0;  // 1-based
  bool operator==(const Place&) const = default;
};

// One place that has a say in one variable.
struct Contribution {
  Origin origin = Origin::environment;
  std::string path;        // the file that says it; "" for the manager's where none is found
  std::uint32_t line = 0;  // 1-based; 0 when there is none
  std::string value;       // what it sets, or for `only_if_equal` the value it removes; else "" for an unset
  bool wins = false;       // at most one per variable; an unset that removed the variable wins too
  bool only_if_equal = false;     // UnsetEnvironment=NAME=value removes that value alone
  bool is_resolved = true;        // false: `value` has a specifier we cannot expand, as it was written
  std::optional<Place> reset_by;  // the empty assignment that took it away again; then it never wins
  bool operator==(const Contribution&) const = default;
};

struct Variable {
  std::string value;
  bool is_set = false;
  std::vector<Contribution> contributions;  // weakest first
  bool operator==(const Variable&) const = default;
};

struct UnitSources {
  std::vector<SourceText> files;  // fragment first, then drop-ins in load order
  // By path as list_environment_files gives it.
  std::map<std::string, EnvironmentFileText> environment_files;
  std::vector<std::string> manager_environment;  // "NAME=value"
  std::map<std::string, Place> manager_places;   // of those that DefaultEnvironment= sets
  // Of process 1 itself ("NAME=value"); nothing when not known: then PassEnvironment= is a doubt.
  std::optional<std::vector<std::string>> process_one_environment;
  Specifiers specifiers;
  unsigned systemd_version = 0;     // 0 when not known
  std::vector<std::string> doubts;  // from reading the sources; compute_environment passes them on
};

struct Environment {
  std::map<std::string, Variable> variables;
  // Lines that systemd would warn about and skip, or that we cannot resolve: "path:line: why".
  std::vector<std::string> doubts;
  // False: systemd refuses to load the unit's file or to start its processes (a doubt says why).
  bool can_start = true;
};

// EnvironmentFile= paths the sources name after resets, expanded, in order; for the caller to read.
struct EnvironmentFilePath {
  std::string path;  // may be a glob(7) pattern
  bool ignore_missing = false;
  std::string named_in;  // the unit file
  std::uint32_t line = 0;
};
[[nodiscard]] std::vector<EnvironmentFilePath> list_environment_files(const UnitSources& sources);

[[nodiscard]] Environment compute_environment(const UnitSources& sources);

}  // namespace allocd::unitfile
