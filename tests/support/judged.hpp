// SPDX-License-Identifier: Apache-2.0
// What assess.hpp says, in one short line.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "policy/assess.hpp"

namespace allocd::test {

// One letter a link: + holds, - fails, u unknown, n does not apply.
inline std::string chain_of(const policy::Assessment& assessment) {
  std::string text;
  for (const policy::Link& link : assessment.chain) text += "+-un"[static_cast<std::size_t>(link.verdict)];
  return text;
}

inline std::string summary(const policy::Assessment& assessment) {
  std::string text(policy::kStateNames.name(assessment.state));
  text += " ";
  text += policy::kReasonNames.name(assessment.reason);
  return text + " " + chain_of(assessment);
}

inline std::string judge(const policy::UnitSetting& unit, const std::vector<policy::ProcessFacts>& processes,
                         settings::Wanted wanted = settings::Wanted::jemalloc) {
  return summary(policy::assess_unit(wanted, unit, processes));
}

inline std::string judge_process(const policy::UnitSetting& unit, const policy::ProcessFacts& process,
                                 settings::Wanted wanted = settings::Wanted::jemalloc) {
  const auto [state, reason] = policy::assess_process(wanted, unit, process);
  return std::string(policy::kStateNames.name(state)) + " " + std::string(policy::kReasonNames.name(reason));
}

inline policy::UnitSetting changed(policy::UnitSetting unit,
                                   const std::function<void(policy::UnitSetting&)>& change) {
  change(unit);
  return unit;
}

}  // namespace allocd::test
