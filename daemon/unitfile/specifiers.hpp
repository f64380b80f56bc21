// SPDX-License-Identifier: Apache-2.0
// Specifiers (%n, %i, %%, ...) of systemd.unit(5), expanded for one unit.
//
// `of_unit` fills in what follows from the unit's name, its file and what is fixed in the system manager;
// what depends on the machine (%H, %m, %b, %v, %a, %o, ...) is the caller's to add. A specifier nobody filled
// in is `unresolved`, never a guess. Pure; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace allocd::unitfile {

struct Specifiers {
  std::map<char, std::string> values;
  // Those systemd itself cannot expand for this unit (%f of a name that is no path): it skips the assignment.
  std::string refused;

  // %y and %Y are `fragment_path` as given; read_sources puts in the real path.
  [[nodiscard]] static Specifiers of_unit(std::string_view unit_name, std::string_view fragment_path);
};

struct Expansion {
  enum class Outcome {
    expanded,
    refused,     // no such specifier, or not for this unit: systemd skips the assignment
    unresolved,  // systemd knows it, we do not: `text` still has it as it was written
  };
  Outcome outcome = Outcome::expanded;
  std::string text;
  char specifier = '\0';  // the first that was refused or not resolved
};

[[nodiscard]] Expansion expand_specifiers(std::string_view text, const Specifiers& specifiers);

}  // namespace allocd::unitfile
