// SPDX-License-Identifier: Apache-2.0
// One file's change as a unified diff, in the form patch(1) takes. Pure.
#pragma once

#include <string>
#include <vector>

#include "policy/plan.hpp"

namespace allocd::ctl {

enum class DiffLineKind { file, hunk, same, added, removed };

struct DiffLine {
  DiffLineKind kind = DiffLineKind::same;
  std::string text;  // with its first column, without a newline; may hold any byte
  bool operator==(const DiffLine&) const = default;
};

// "--- path" and "+++ path" first, /dev/null for a file that is not there. Nothing when nothing changes.
[[nodiscard]] std::vector<DiffLine> make_diff(const policy::FileChange& change);

}  // namespace allocd::ctl
