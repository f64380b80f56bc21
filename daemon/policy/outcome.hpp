// SPDX-License-Identifier: Apache-2.0
// What each unit comes to, before anybody looks at what lies on disk: the place of its drop-in, and the texts
// wanted there or what stands in the way. The first half of a plan. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "policy/candidate.hpp"
#include "policy/desired.hpp"
#include "policy/plan.hpp"

namespace allocd::policy {

// What one unit comes to when its files lie at one target.
struct Outcome {
  std::string target;
  Action action = Action::keep;  // keep: nothing is wanted, or nothing can be; write: `texts` are wanted
  PlanReason reason = PlanReason::not_needed;
  std::string sentence;
  std::vector<std::string> notes;
  std::vector<Assignment> environment;
  FileTexts texts;
};

struct Decided {
  const UnitInput* unit = nullptr;
  Outcome outcome;
};

// A unit that cannot start keeps what it has, and has no say in what the others of its template share.
[[nodiscard]] bool keeps_all(const Decided& decided);

// Units of one template share its drop-in only if each of them would get the very same one. Sorted by target;
// the first of a target speaks for it.
[[nodiscard]] std::vector<Decided> decide_units(const std::vector<UnitInput>& units,
                                                const PlanOptions& options);

}  // namespace allocd::policy
