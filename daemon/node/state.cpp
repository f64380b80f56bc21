// SPDX-License-Identifier: Apache-2.0
#include "node/state.hpp"

#include <algorithm>

namespace allocd::node {

std::size_t count_errors(const NodeState& state) {
  return static_cast<std::size_t>(std::ranges::count_if(
      state.problems, [](const ReadProblem& problem) { return problem.kind != ProblemKind::missing; }));
}

bool is_missing(const NodeState& state, std::string_view path) {
  return std::ranges::any_of(state.problems, [&](const ReadProblem& problem) {
    return problem.kind == ProblemKind::missing && problem.path == path;
  });
}

}  // namespace allocd::node
