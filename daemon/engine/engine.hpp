// SPDX-License-Identifier: Apache-2.0
// What a command line says about an inference process: which engine it is, and which part of it.
//
// Everything here is a closed set: titles carry pids and user text, so they never become labels.
// Engines and their process titles: docs of vLLM, SGLang, TGI, llama.cpp, TensorRT-LLM, Triton, Ray.
// Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/closed_enum.hpp"

namespace allocd::engine {

enum class Engine { vllm, sglang, tgi, llama_cpp, tensorrt_llm, triton, ray_serve, unknown };
inline constexpr base::EnumNames<Engine, 8> kEngineNames{
    {"vllm", "sglang", "tgi", "llama_cpp", "tensorrt_llm", "triton", "ray_serve", "unknown"}};

// Which engine `argv` starts. Sees through interpreters (python, env, uv, bash -c), `-m module` and paths;
// a container client (docker run ... vllm) is not an engine: its payload lives elsewhere.
[[nodiscard]] Engine decide_engine(std::span<const std::string> argv);

// Whether `argv` starts a container through a client (docker run, podman run, ...): the payload then runs in
// a cgroup of the container engine and gets nothing of the unit's environment. Sees through the same
// wrappers.
[[nodiscard]] bool is_container_client(std::span<const std::string> argv);

enum class Role {
  launcher,
  api_server,
  router,
  tokenizer,
  scheduler,
  engine_core,
  worker,
  dp_coordinator,
  detokenizer,
  resource_tracker,
  compile_worker,
  container_shim,
  starting,  // an interpreter that has not yet said what it is (multiprocessing spawn_main, a wrapper shell)
  other
};
inline constexpr base::EnumNames<Role, 14> kRoleNames{
    {"launcher", "api_server", "router", "tokenizer", "scheduler", "engine_core", "worker", "dp_coordinator",
     "detokenizer", "resource_tracker", "compile_worker", "container_shim", "starting", "other"}};

// Largest rank that is believed; a title with a larger number keeps its role and loses the rank.
inline constexpr std::uint32_t kMaxRank = 4095;

struct Ranks {
  std::optional<std::uint32_t> dp, pp, tp, ep;
  bool operator==(const Ranks&) const = default;
};

struct RoleClaim {
  Role role = Role::other;
  Ranks ranks;
  bool operator==(const RoleClaim&) const = default;
};

// From the bytes of /proc/PID/cmdline (NUL-separated, or one overwritten title padded with NULs) and comm.
[[nodiscard]] RoleClaim decide_role(std::string_view cmdline, std::string_view comm);

// The words of a NUL-separated command line, without trailing empty ones.
[[nodiscard]] std::vector<std::string> split_cmdline(std::string_view cmdline);

}  // namespace allocd::engine
