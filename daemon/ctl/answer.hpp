// SPDX-License-Identifier: Apache-2.0
// What a command came to: text for both streams and an exit code. main() writes it out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ctl/command_line.hpp"
#include "ctl/enforce/dialogue.hpp"
#include "ctl/render_options.hpp"
#include "settings/load.hpp"
#include "snapshot/model.hpp"

namespace allocd::ctl {

struct Answer {
  int code = kDone;
  std::string out;
  std::string err;
};

// Carries out the command. What apply and revert show before they ask goes through `dialogue`.
[[nodiscard]] Answer run(const CommandLine& line, const RenderOptions& options, Dialogue& dialogue);

// The part of run() after the snapshot was fetched. Pure.
[[nodiscard]] Answer answer_from(const snapshot::Snapshot& snapshot, const CommandLine& line,
                                 const RenderOptions& options);

// A snapshot that could not be fetched, in words that lead on. Pure.
[[nodiscard]] Answer answer_without_snapshot(const base::Fault& fault);

// A fault of anything else. Pure.
[[nodiscard]] Answer answer_fault(const base::Fault& fault);
// Exit code 78 and every problem. `name` is what was read. Pure.
[[nodiscard]] Answer answer_problems(const std::vector<settings::Problem>& problems, std::string_view name);

// `check-config`: one file, or everything allocd would read.
[[nodiscard]] Answer check_config(const CommandLine& line);

// The exposition of one snapshot. Pure.
[[nodiscard]] std::string render_metrics(const snapshot::Snapshot& snapshot, double now);

}  // namespace allocd::ctl
