// SPDX-License-Identifier: Apache-2.0
// What a report of drift comes to, in words that several views share. Pure.
//
// Never "no drift" of what is too young to tell, and never "leak": outside of a process a leak and memory
// that its allocator keeps look alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "snapshot/model.hpp"

namespace allocd::ctl {

// Drift or exhaustion: somebody should act, and the exit code of `allocctl drift` says so.
[[nodiscard]] bool is_drifting(const drift::Report& report);

// Not all rules can speak yet.
[[nodiscard]] bool is_too_young(const drift::Report& report);

// Its ended lives grew by as much a day as would be called drift, and this one is too young to tell.
[[nodiscard]] bool is_hidden_by_restarts(const drift::Report& report);

// "exhaustion"; "-" without a verdict.
[[nodiscard]] std::string_view drift_state_text(const drift::Report& report);

// "slow and fast"; "" when neither holds.
[[nodiscard]] std::string drift_rules_text(const drift::Report& report);

// "drift (slow and fast)", "exhaustion", "-".
[[nodiscard]] std::string drift_verdict_text(const drift::Report& report);

// "window too short: 12 of 78 hours"; "" when it is not.
[[nodiscard]] std::string drift_window_text(const drift::Report& report);

// "+457.8M" from bytes per second; "-" for what is not known.
[[nodiscard]] std::string per_day_text(const std::optional<double>& per_second);

// "12.1G"; "-" for what is not known.
[[nodiscard]] std::string computed_bytes_or_dash(const std::optional<double>& bytes);

// "5d 19h", "over 1y"; "-" for what is not known.
[[nodiscard]] std::string time_left_text(const std::optional<double>& seconds);

// For a view about something else: "drift (slow and fast), +457.8M a day, at its limit in 5d 19h". "" when
// there is nothing to look at.
[[nodiscard]] std::string drift_note(const drift::Report& report);

// Heaps of glibc arenas over all roles; nothing while no memory map was read.
[[nodiscard]] std::optional<std::uint64_t> glibc_heaps_of(const snapshot::Unit& unit);

}  // namespace allocd::ctl
