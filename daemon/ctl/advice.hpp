// SPDX-License-Identifier: Apache-2.0
// What each reason means and what an operator can do about it, in plain words. Pure.
#pragma once

#include <string>
#include <string_view>

#include "policy/assessment.hpp"

namespace allocd::ctl {

struct Advice {
  std::string meaning;
  std::string action;
};

// `unit` stands in the commands that are proposed.
[[nodiscard]] Advice advice_for(policy::Reason reason, std::string_view unit);

// The first link that fails; if none does, the first that is not known; kLinkCount when the chain holds.
[[nodiscard]] std::size_t first_broken_link(const policy::Assessment& assessment);

// Whether nothing is left to be done for policy's sake: compliant, exempt or inactive.
[[nodiscard]] bool is_settled(policy::State state);

}  // namespace allocd::ctl
