// SPDX-License-Identifier: Apache-2.0
// Short words for the links of a chain. Private to this folder. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "policy/assessment.hpp"

namespace allocd::policy {

inline Link holds(std::string evidence) {
  return {Verdict::holds, std::move(evidence)};
}
inline Link fails(std::string evidence) {
  return {Verdict::fails, std::move(evidence)};
}
inline Link not_known(std::string evidence) {
  return {Verdict::unknown, std::move(evidence)};
}
inline Link not_applicable(std::string evidence) {
  return {Verdict::not_applicable, std::move(evidence)};
}

// Paths and values are the unit's: evidence stays one line whatever they hold.
inline std::string one_line(std::string_view text) {
  return base::escape_for_terminal(text);
}

}  // namespace allocd::policy
