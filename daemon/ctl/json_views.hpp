// SPDX-License-Identifier: Apache-2.0
// The views as one JSON document each, for programs. Pure.
//
// Every document has schema_version; keys are stable, and a newer minor form may add some. Bytes are
// integers, times are seconds since the epoch, durations are seconds, names of closed sets are those of
// docs/snapshot.schema.json, and what could not be read is null. One line, ended by a newline.
#pragma once

#include <span>
#include <string>

#include "snapshot/model.hpp"

namespace allocd::ctl {

inline constexpr int kViewSchemaVersion = 1;

[[nodiscard]] std::string render_status_json(const snapshot::Snapshot& snapshot, double now);
[[nodiscard]] std::string render_list_json(const snapshot::Snapshot& snapshot);
// `unit` is the unit as docs/snapshot.schema.json describes it.
[[nodiscard]] std::string render_show_json(const snapshot::Snapshot& snapshot, const snapshot::Unit& unit);
// `node` and `model_files` as docs/snapshot.schema.json describes them; `as_declared` as the exit code has
// it.
[[nodiscard]] std::string render_node_json(const snapshot::Snapshot& snapshot);
// `drifting` as the exit code has it; of each unit `drift` as docs/snapshot.schema.json describes it, its
// allocators by processes and its heaps of glibc arenas.
[[nodiscard]] std::string render_drift_json(const snapshot::Snapshot& snapshot,
                                            std::span<const snapshot::Unit> units);
[[nodiscard]] std::string render_explain_json(const snapshot::Snapshot& snapshot, const snapshot::Unit& unit);

}  // namespace allocd::ctl
