// SPDX-License-Identifier: Apache-2.0
#include "settings/problem_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace allocd::settings {

void ProblemList::add(Place place, std::string message, std::string hint) {
  if (full()) {
    ++not_shown_;
    return;
  }
  const auto place_of = [](const Problem& problem) {
    return Place{problem.position.line, problem.position.column};
  };
  // Behind those of the same place: what was found first is told first.
  const auto next = std::ranges::upper_bound(problems_, place, {}, place_of);
  problems_.insert(
      next, {position(place), std::move(message), std::move(hint), std::string(source_.line(place.line))});
}

std::vector<Problem> ProblemList::take() {
  if (not_shown_ > 0) {
    problems_.push_back({position({}), fmt::format("{} more problems are not shown", not_shown_), "", ""});
  }
  return std::exchange(problems_, {});
}

std::string render_position(const base::SourcePosition& position) {
  if (position.line == 0) return position.file;
  return fmt::format("{}:{}:{}", position.file, position.line, position.column);
}

}  // namespace allocd::settings
