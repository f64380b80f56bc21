// SPDX-License-Identifier: Apache-2.0
#include "ctl/enforce/diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace allocd::ctl {

namespace {

using Lines = std::vector<std::string_view>;

constexpr std::size_t kContext = 3;
// A drop-in has ten lines. Beyond this the texts are shown as wholly replaced rather than compared.
constexpr std::size_t kLargestTable = 4'000'000;

struct Edit {
  DiffLineKind kind = DiffLineKind::same;
  std::string_view line;
};
using Edits = std::vector<Edit>;

// Lines with their newlines: a last line without one differs from the same line with it.
Lines split_lines(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const auto newline = text.find('\n');
    const auto size = newline == std::string_view::npos ? text.size() : newline + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

// Lengths of the longest common subsequences of what follows line i of the one and line j of the other.
class CommonLengths {
 public:
  CommonLengths(const Lines& before, const Lines& after)
      : width_(after.size() + 1), lengths_((before.size() + 1) * width_) {
    for (std::size_t i = before.size(); i-- > 0;) {
      for (std::size_t j = after.size(); j-- > 0;)
        lengths_[(i * width_) + j] =
            before[i] == after[j] ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
    }
  }
  [[nodiscard]] std::uint32_t at(std::size_t i, std::size_t j) const { return lengths_[(i * width_) + j]; }

 private:
  std::size_t width_;
  std::vector<std::uint32_t> lengths_;
};

void replace_all(Edits& edits, const Lines& before, const Lines& after) {
  for (const auto line : before) edits.push_back({DiffLineKind::removed, line});
  for (const auto line : after) edits.push_back({DiffLineKind::added, line});
}

// Every line of both texts, in order; what goes stands before what comes.
Edits find_edits(const Lines& before, const Lines& after) {
  Edits edits;
  if ((before.size() + 1) * (after.size() + 1) > kLargestTable) {
    replace_all(edits, before, after);
    return edits;
  }
  const CommonLengths common(before, after);
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < before.size() || j < after.size()) {
    if (i < before.size() && j < after.size() && before[i] == after[j]) {
      edits.push_back({DiffLineKind::same, before[i++]});
      ++j;
    } else if (j == after.size() || (i < before.size() && common.at(i + 1, j) >= common.at(i, j + 1))) {
      edits.push_back({DiffLineKind::removed, before[i++]});
    } else {
      edits.push_back({DiffLineKind::added, after[j++]});
    }
  }
  return edits;
}

// From `begin` on: up to the end of the first run of changes that more than twice the context separates from
// the next; nothing when no change is left.
struct Hunk {
  std::size_t begin = 0, end = 0;
};
Hunk find_hunk(const Edits& edits, std::size_t begin) {
  const auto next_change = [&](std::size_t from) {
    while (from < edits.size() && edits[from].kind == DiffLineKind::same) ++from;
    return from;
  };
  const std::size_t first = next_change(begin);
  if (first == edits.size()) return {};
  std::size_t end = first;
  for (auto change = first; change < edits.size() && change <= end + (2 * kContext);
       change = next_change(change + 1))
    end = change + 1;
  return {std::max(begin, first - std::min(first, kContext)), std::min(edits.size(), end + kContext)};
}

std::size_t count_lines(const Edits& edits, Hunk range, DiffLineKind other_side) {
  std::size_t count = 0;
  for (auto i = range.begin; i < range.end; ++i) count += edits[i].kind == other_side ? 0U : 1U;
  return count;
}

// "4,7"; a side without lines counts from 0.
std::string describe_range(const Edits& edits, Hunk hunk, DiffLineKind other_side) {
  const auto count = count_lines(edits, hunk, other_side);
  const auto above = count_lines(edits, {0, hunk.begin}, other_side);
  return fmt::format("{},{}", count == 0 ? above : above + 1, count);
}

void add_line(std::vector<DiffLine>& out, const Edit& edit) {
  const char column = edit.kind == DiffLineKind::added ? '+' : edit.kind == DiffLineKind::removed ? '-' : ' ';
  const bool is_complete = edit.line.ends_with('\n');
  out.push_back(
      {edit.kind, column + std::string(edit.line.substr(0, edit.line.size() - (is_complete ? 1 : 0)))});
  if (!is_complete) out.push_back({edit.kind, "\\ No newline at end of file"});
}

}  // namespace

std::vector<DiffLine> make_diff(const policy::FileChange& change) {
  if (change.before == change.after) return {};
  const auto edits = find_edits(split_lines(change.before ? std::string_view(*change.before) : ""),
                                split_lines(change.after ? std::string_view(*change.after) : ""));
  std::vector<DiffLine> out{
      {DiffLineKind::file, "--- " + (change.before ? change.path : std::string("/dev/null"))},
      {DiffLineKind::file, "+++ " + (change.after ? change.path : std::string("/dev/null"))}};
  for (auto hunk = find_hunk(edits, 0); hunk.end > 0; hunk = find_hunk(edits, hunk.end)) {
    out.push_back(
        {DiffLineKind::hunk, fmt::format("@@ -{} +{} @@", describe_range(edits, hunk, DiffLineKind::added),
                                         describe_range(edits, hunk, DiffLineKind::removed))});
    for (auto i = hunk.begin; i < hunk.end; ++i) add_line(out, edits[i]);
  }
  return out;
}

}  // namespace allocd::ctl
