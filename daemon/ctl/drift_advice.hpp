// SPDX-License-Identifier: Apache-2.0
// What a verdict of drift means for whoever is on call, and what to do next. Pure.
#pragma once

#include <string>
#include <vector>

#include "snapshot/model.hpp"

namespace allocd::ctl {

struct DriftAdvice {
  std::string meaning;
  std::string action;
  std::vector<std::string> commands;  // to be pasted into a shell: the unit's name is quoted where it must be
  std::string runbook;                // "" where no alert stands for the state
};

[[nodiscard]] DriftAdvice drift_advice_for(const snapshot::Unit& unit);

}  // namespace allocd::ctl
