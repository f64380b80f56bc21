// SPDX-License-Identifier: Apache-2.0
// The tables: which program, python module or process title belongs to which engine and role.
//
// To teach allocd a new server, add a line to a table in rules.cpp and a line to tests/corpus/engine.
// Matching is on whole names, never on parts of a path or of an argument, so a model called "worker" changes
// nothing. Pure; safe from any thread.
#pragma once

#include <optional>
#include <string_view>

#include "engine/command.hpp"
#include "engine/engine.hpp"

namespace allocd::engine {

struct Match {
  Engine engine = Engine::unknown;
  Role role = Role::other;
};

// A program, module, script or code that is known by name; wrappers and shells never match.
[[nodiscard]] std::optional<Match> match_command(const Command& command);

// What a process calls itself: "VLLM::Worker_TP0_DP1", "sglang::scheduler_DP0_TP1", "ray::IDLE".
struct Title {
  Engine engine = Engine::unknown;  // from the prefix, which users of vLLM may set to anything
  RoleClaim claim;
};
[[nodiscard]] std::optional<Title> parse_title(std::string_view text);

// A title cut to the 15 bytes of comm (proc_pid_comm(5)): the role if it is still certain, never a rank.
[[nodiscard]] std::optional<Title> parse_comm_title(std::string_view comm);

// A program name cut to 15 bytes, e.g. "triton_python_b".
[[nodiscard]] std::optional<Match> match_comm(std::string_view comm);

inline constexpr std::size_t kCommLength = 15;

}  // namespace allocd::engine
