// SPDX-License-Identifier: Apache-2.0
// What systemd brings to the environment of every unit, and the specifiers that depend on the machine.
//
// Systemd expands specifiers when it loads a unit: whoever keeps a Machine reads it again when systemd has
// read its unit files again. %s, a choice of who built systemd, stays unresolved, and so does what cannot be
// read. What PassEnvironment= takes from the block of process 1 stays a doubt: no process's environment is
// ever read. Blocking file reads; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/root.hpp"
#include "unitfile/environment.hpp"

namespace allocd::unitfile {

struct Machine {
  std::vector<std::string> manager_environment;  // "NAME=value", by the manager itself
  unsigned systemd_version = 0;                  // 0 when not known
  std::map<char, std::string> specifiers;        // %a %b %H %m ...
  std::map<std::string, Place> manager_places;   // by "NAME=value": the DefaultEnvironment= that says it
  bool operator==(const Machine&) const = default;
};

// Both words are the manager's own, from the bus; `version` may be "".
[[nodiscard]] Machine read_machine(const host::Root& root, std::vector<std::string> manager_environment,
                                   std::string_view version);

// "252.39-1~deb12u1", "v257.1": 252, 257. 0 for anything else.
[[nodiscard]] unsigned parse_systemd_version(std::string_view text);

}  // namespace allocd::unitfile
