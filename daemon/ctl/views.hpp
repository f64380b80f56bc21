// SPDX-License-Identifier: Apache-2.0
// What allocctl prints, for people and (json_views.hpp) for programs. Pure: a snapshot in, text out.
//
// No line is wider than options.width, whatever the names; only `list`, made for scripts, never cuts or
// wraps anything. Names and paths of others are made harmless for a terminal.
#pragma once

#include <string>

#include "ctl/render_options.hpp"
#include "snapshot/model.hpp"

namespace allocd::ctl {

[[nodiscard]] std::string render_status(const snapshot::Snapshot& snapshot, const RenderOptions& options);

// One unit per line, no heading: NAME, STATE, REASON, SERVICE, tab-separated; "-" for an empty field.
[[nodiscard]] std::string render_list(const snapshot::Snapshot& snapshot, const RenderOptions& options);

// `unit` is one of the snapshot's.
[[nodiscard]] std::string render_show(const snapshot::Snapshot& snapshot, const snapshot::Unit& unit,
                                      const RenderOptions& options);

// The memory state of the machine, what was declared of it, and model files.
[[nodiscard]] std::string render_node(const snapshot::Snapshot& snapshot, const RenderOptions& options);

// Every unit's verdict of drift and what it rests on.
[[nodiscard]] std::string render_drift(const snapshot::Snapshot& snapshot, const RenderOptions& options);

// One unit's in plain words, with the signs, its roles, its ended lives and what to do. `unit` is one of the
// snapshot's.
[[nodiscard]] std::string render_drift_unit(const snapshot::Snapshot& snapshot, const snapshot::Unit& unit,
                                            const RenderOptions& options);

// The five links of the chain, what the verdict means, what to do, and the processes that differ.
[[nodiscard]] std::string render_explain(const snapshot::Unit& unit, const RenderOptions& options);

}  // namespace allocd::ctl
