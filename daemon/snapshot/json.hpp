// SPDX-License-Identifier: Apache-2.0
// The snapshot as JSON and back. docs/snapshot.schema.json is its contract.
//
// A newer minor form may add keys: a reader ignores keys it does not know, and refuses a schema_version it
// does not know. Pure; safe from any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/json_writer.hpp"
#include "base/result.hpp"
#include "snapshot/model.hpp"

namespace allocd::snapshot {

// `without_processes` leaves every `processes` list empty; sums and counts over them stay.
enum class Detail { everything, without_processes };

[[nodiscard]] std::string render_json(const Snapshot& snapshot, Detail detail = Detail::everything);

// Parts as they stand in a snapshot, into a larger document.
void write_unit(base::JsonWriter& out, const Unit& unit);
void write_drift(base::JsonWriter& out, const drift::Report& report);
void write_node(base::JsonWriter& out, const Node& node);
void write_model_files(base::JsonWriter& out, const std::vector<ModelFiles>& files);

// Anything from a truncated or hostile document is a Fault, never an exception.
[[nodiscard]] base::Result<Snapshot> parse_json(std::string_view text, Detail detail = Detail::everything);

}  // namespace allocd::snapshot
