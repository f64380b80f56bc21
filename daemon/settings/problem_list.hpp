// SPDX-License-Identifier: Apache-2.0
// Collects the problems of one file, in any order, and hands them out in order of place.
//
// Bounded: a hostile file cannot make the report larger than kMostProblems entries; the rest are counted.
// Not thread-safe; one list per file being read.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "settings/load.hpp"
#include "settings/source_lines.hpp"

namespace allocd::settings {

inline constexpr std::size_t kMostProblems = 100;  // per file

class ProblemList {
 public:
  ProblemList(std::string file, const SourceLines& source) : file_(std::move(file)), source_(source) {}

  void add(Place place, std::string message, std::string hint = {});
  // What is added from now on is only counted.
  [[nodiscard]] bool full() const { return problems_.size() == kMostProblems; }
  [[nodiscard]] bool empty() const { return problems_.empty(); }
  [[nodiscard]] base::SourcePosition position(Place place) const { return {file_, place.line, place.column}; }

  // Sorted by place; when there were more than kMostProblems, the last one says how many.
  [[nodiscard]] std::vector<Problem> take();

 private:
  std::string file_;
  const SourceLines& source_;
  std::vector<Problem> problems_;
  std::size_t not_shown_ = 0;
};

// "FILE:LINE:COLUMN", as far as they are known.
[[nodiscard]] std::string render_position(const base::SourcePosition& position);

}  // namespace allocd::settings
