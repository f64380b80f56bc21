// SPDX-License-Identifier: Apache-2.0
// A unit's history as the text of its state file, and back without loss.
//
//   {"schema_version":1,"unit":"vllm.service","boot_id":"..","pid":4711,"start_ticks":91234,...,
//    "memory":{"last_uptime":..,"window":[..],"hour":12,..,"lows":{"end":12,"values":[..,null,..]},..},..}
//
// What is read was written by an allocd of another version, or damaged since: it is either whole and of this
// unit, or a fault that says which of the three it is not. Pure; safe from any thread.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "drift/unit_history.hpp"

namespace allocd::drift {

inline constexpr std::uint32_t kStateSchema = 1;

enum class StateProblem { damaged, newer, of_another_unit };

struct StateFault {
  StateProblem problem = StateProblem::damaged;
  std::string cause;
};

[[nodiscard]] std::string render_state(const UnitHistory& history);
[[nodiscard]] std::expected<UnitHistory, StateFault> parse_state(std::string_view text,
                                                                 std::string_view unit);

}  // namespace allocd::drift
