// SPDX-License-Identifier: Apache-2.0
#include "engine/rules.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/text.hpp"

namespace allocd::engine {

namespace {

// `verb`: the first argument that is not an option; "" accepts any, so it stands after the others of its
// name.
struct Rule {
  std::string_view name;
  std::string_view verb;
  Engine engine;
  Role role;
};

constexpr Rule kPrograms[] = {
    {"vllm", "serve", Engine::vllm, Role::api_server},
    {"vllm-rs", "", Engine::vllm, Role::api_server},  // vLLM's Rust front end
    {"vllm-omni", "serve", Engine::vllm, Role::api_server},
    {"vllm-router", "", Engine::vllm, Role::router},
    {"sglang", "serve", Engine::sglang, Role::api_server},
    {"sglang-router", "", Engine::sglang, Role::router},
    {"sgl-router", "", Engine::sglang, Role::router},
    {"text-generation-launcher", "", Engine::tgi, Role::launcher},
    {"text-generation-router", "", Engine::tgi, Role::router},
    {"text-generation-server", "serve", Engine::tgi, Role::worker},  // one per shard
    {"llama-server", "", Engine::llama_cpp, Role::api_server},
    {"trtllm-serve", "disaggregated", Engine::tensorrt_llm, Role::router},
    {"trtllm-serve", "disaggregated_mpi_worker", Engine::tensorrt_llm, Role::worker},
    {"trtllm-serve", "", Engine::tensorrt_llm, Role::api_server},
    {"tritonserver", "", Engine::triton, Role::api_server},
    {"triton_python_backend_stub", "", Engine::triton, Role::worker},
    {"ray", "start", Engine::ray_serve, Role::launcher},
    {"serve", "run", Engine::ray_serve,
     Role::launcher},  // Ray Serve's CLI; `serve DIRECTORY` is another program
    {"serve", "start", Engine::ray_serve, Role::launcher},
    {"raylet", "", Engine::ray_serve, Role::launcher},  // starts the workers of its node
    {"gcs_server", "", Engine::ray_serve, Role::other},
    {"ollama", "serve", Engine::unknown, Role::launcher},
    {"ollama", "runner", Engine::unknown, Role::worker},
};

constexpr Rule kModules[] = {
    {"vllm.entrypoints.openai.api_server", "", Engine::vllm, Role::api_server},
    {"vllm.entrypoints.api_server", "", Engine::vllm, Role::api_server},
    {"vllm.entrypoints.grpc_server", "", Engine::vllm, Role::api_server},
    {"vllm.entrypoints.cli.main", "serve", Engine::vllm, Role::api_server},
    {"vllm.scripts", "serve", Engine::vllm, Role::api_server},
    {"vllm", "serve", Engine::vllm, Role::api_server},
    {"vllm_router.app", "", Engine::vllm, Role::router},
    {"sglang.launch_server", "", Engine::sglang, Role::api_server},
    {"sglang.srt.entrypoints.http_server", "", Engine::sglang, Role::api_server},
    {"sglang_router.launch_router", "", Engine::sglang, Role::router},
    {"sglang_router.launch_server", "", Engine::sglang, Role::router},
    {"text_generation_server.cli", "serve", Engine::tgi, Role::worker},
    {"llama_cpp.server", "", Engine::llama_cpp, Role::api_server},
    {"tensorrt_llm.commands.serve", "", Engine::tensorrt_llm, Role::api_server},
    {"tensorrt_llm.llmapi.mgmn_leader_node", "", Engine::tensorrt_llm, Role::launcher},
    {"tensorrt_llm.llmapi.mgmn_worker_node", "", Engine::tensorrt_llm, Role::worker},
    {"mpi4py.futures.server", "", Engine::unknown, Role::worker},
    {"mpi4py.futures", "", Engine::unknown, Role::worker},
    {"dynamo.frontend", "", Engine::unknown, Role::api_server},  // in front of any engine
    {"dynamo.router", "", Engine::unknown, Role::router},
    {"dynamo.vllm", "", Engine::vllm, Role::worker},
    {"dynamo.sglang", "", Engine::sglang, Role::worker},
    {"dynamo.trtllm", "", Engine::tensorrt_llm, Role::worker},
    {"torch._inductor.compile_worker", "", Engine::unknown, Role::compile_worker},
    {"multiprocessing.resource_tracker", "", Engine::unknown, Role::resource_tracker},
    {"ray._private.workers.setup_worker", "", Engine::ray_serve, Role::starting},
    {"ray._private.workers.default_worker", "", Engine::ray_serve, Role::worker},
    {"ray.dashboard.dashboard", "", Engine::ray_serve, Role::other},
    {"ray.dashboard.agent", "", Engine::ray_serve, Role::other},
    {"ray._private.runtime_env.agent.main", "", Engine::ray_serve, Role::other},
    {"ray._private.log_monitor", "", Engine::ray_serve, Role::other},
    {"ray.autoscaler._private.monitor", "", Engine::ray_serve, Role::other},
};

// Starts of `python -c` texts that CPython's multiprocessing writes (Lib/multiprocessing/spawn.py and kin).
constexpr Rule kCode[] = {
    {"from multiprocessing.spawn import spawn_main", "", Engine::unknown, Role::starting},
    {"from multiprocess.spawn import spawn_main", "", Engine::unknown, Role::starting},
    {"from multiprocessing.forkserver import main", "", Engine::unknown, Role::starting},
    {"from multiprocess.forkserver import main", "", Engine::unknown, Role::starting},
    {"from multiprocessing.resource_tracker import main", "", Engine::unknown, Role::resource_tracker},
    {"from multiprocess.resource_tracker import main", "", Engine::unknown, Role::resource_tracker},
    {"from joblib.externals.loky.backend.resource_tracker import main", "", Engine::unknown,
     Role::resource_tracker},
};

// The part of a title after "::".
struct TitleRule {
  std::string_view name;
  Role role;
};
constexpr TitleRule kTitles[] = {
    {"EngineCore", Role::engine_core},
    {"DPEngineCore", Role::engine_core},
    {"StageEngineCore", Role::engine_core},  // vLLM-Omni
    {"Worker", Role::worker},
    {"VllmWorker", Role::worker},
    {"DiffusionWorker", Role::worker},  // vLLM-Omni
    {"APIServer", Role::api_server},
    {"ApiServer", Role::api_server},
    {"DPCoordinator", Role::dp_coordinator},
    {"scheduler", Role::scheduler},
    {"detokenizer", Role::detokenizer},
    {"tokenizer", Role::tokenizer},
    {"tokenizer_worker", Role::tokenizer},
    {"data_parallel_controller", Role::dp_coordinator},
    {"router", Role::router},
};

std::string_view first_argument(const Command& command) {
  for (const auto& word : command.arguments) {
    if (!word.starts_with('-')) return word;
  }
  return {};
}

template <std::size_t Count>
const Rule* find_rule(const Rule (&rules)[Count], std::string_view name, std::string_view verb) {
  for (const Rule& rule : rules) {
    if (rule.name == name && (rule.verb.empty() || rule.verb == verb)) return &rule;
  }
  return nullptr;
}

// Whether the file at `path` is where python finds `module`: .../torch/_inductor/compile_worker/__main__.py
bool is_file_of_module(std::string_view path, std::string_view module) {
  for (const std::string_view ending : {"/__main__.py", ".py"}) {
    if (!path.ends_with(ending)) continue;
    const auto stem = path.substr(0, path.size() - ending.size());
    if (stem.size() < module.size()) continue;
    const auto tail = stem.substr(stem.size() - module.size());
    const bool whole = stem.size() == module.size() || stem[stem.size() - module.size() - 1] == '/';
    const bool same = std::ranges::equal(tail, module, [](char in_path, char in_module) {
      return in_path == in_module || (in_path == '/' && in_module == '.');
    });
    if (whole && same) return true;
  }
  return false;
}

const Rule* find_script(std::string_view path, std::string_view verb) {
  for (const Rule& rule : kModules) {
    if (rule.name.find('.') == std::string_view::npos) continue;  // too short a name to know a file by
    if ((rule.verb.empty() || rule.verb == verb) && is_file_of_module(path, rule.name)) return &rule;
  }
  return nullptr;
}

const Rule* find_code(std::string_view code) {
  for (const Rule& rule : kCode) {
    if (code.starts_with(rule.name)) return &rule;
  }
  return nullptr;
}

// `vllm serve --headless` and `--api-server-count 4` only start other processes.
bool only_launches(const Command& command) {
  for (std::size_t i = 0; i < command.arguments.size(); ++i) {
    std::string_view word = command.arguments[i];
    if (word == "--headless") return true;
    std::string_view value;
    if ((word == "--api-server-count" || word == "-asc") && i + 1 < command.arguments.size()) {
      value = command.arguments[i + 1];
    } else if (word.starts_with("--api-server-count=")) {
      value = word.substr(word.find('=') + 1);
    }
    if (const auto count = base::parse_u64(value); count && *count > 1) return true;
  }
  return false;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

Engine engine_of_prefix(std::string_view prefix) {
  if (same_ignoring_case(prefix, "vllm") || same_ignoring_case(prefix, "vllm-omni")) return Engine::vllm;
  if (prefix == "sglang") return Engine::sglang;
  if (prefix == "ray") return Engine::ray_serve;
  return Engine::unknown;
}

// "Worker" stands in "Worker_TP0" and in "WorkerProc", not in "Workers".
bool stands_at_start(std::string_view name, std::string_view text) {
  if (!text.starts_with(name)) return false;
  return text.size() == name.size() || text[name.size()] < 'a' || text[name.size()] > 'z';
}

const TitleRule* find_title(std::string_view text) {
  const TitleRule* longest = nullptr;
  for (const TitleRule& rule : kTitles) {
    if (!stands_at_start(rule.name, text)) continue;
    if (longest == nullptr || rule.name.size() > longest->name.size()) longest = &rule;
  }
  return longest;
}

std::optional<std::uint32_t> parse_rank(std::string_view digits) {
  const auto value = base::parse_u64(digits);
  if (!value || *value > kMaxRank) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

// "_DP1_PP0_PCP0_TP3_EP3": pairs of letters and a number. A part without a number ("_MOE_DP0") qualifies the
// next one, which then is another rank than the one we know by that name.
Ranks parse_ranks(std::string_view suffix) {
  Ranks ranks;
  bool qualified = false;
  for (const auto part : base::split(suffix, '_')) {
    const auto digits_at = std::min(part.find_first_of("0123456789"), part.size());
    const auto key = part.substr(0, digits_at);
    const bool skip = std::exchange(qualified, !key.empty() && digits_at == part.size());
    if (skip) continue;
    const auto rank = parse_rank(part.substr(digits_at));
    if (key == "DP") ranks.dp = rank;
    if (key == "PP") ranks.pp = rank;
    if (key == "TP") ranks.tp = rank;
    if (key == "EP") ranks.ep = rank;
  }
  return ranks;
}

RoleClaim claim_of_title(const TitleRule& rule, std::string_view text) {
  RoleClaim claim{.role = rule.role, .ranks = {}};
  auto suffix = text.substr(rule.name.size());
  if (suffix.starts_with("Proc")) suffix.remove_prefix(4);
  claim.ranks = parse_ranks(suffix);
  // EngineCoreProc_0, DPEngineCore_3: a bare number there is the data-parallel rank.
  if (rule.role == Role::engine_core && suffix.starts_with('_') && !claim.ranks.dp) {
    claim.ranks.dp = parse_rank(suffix.substr(1));
  }
  return claim;
}

// ray::IDLE, ray::Actor.method: unbounded names that change with every task; all are Ray's workers.
RoleClaim claim_of_ray(std::string_view actor) {
  for (const std::string_view proxy : {"ProxyActor", "HTTPProxyActor"}) {
    if (actor.starts_with(proxy)) return {.role = Role::router, .ranks = {}};
  }
  return {.role = Role::worker, .ranks = {}};
}

struct TitleParts {
  std::string_view prefix, name;
};

std::optional<TitleParts> split_title(std::string_view text) {
  const auto first = text.find("::");
  if (first == std::string_view::npos || first == 0) return std::nullopt;
  // A user's own prefix may hold "::", so the last one counts; sglang and ray put user text after theirs.
  const bool fixed = engine_of_prefix(text.substr(0, first)) == Engine::sglang ||
                     engine_of_prefix(text.substr(0, first)) == Engine::ray_serve;
  const auto at = fixed ? first : text.rfind("::");
  return TitleParts{text.substr(0, at), text.substr(at + 2)};
}

}  // namespace

std::optional<Match> match_command(const Command& command) {
  const auto verb = first_argument(command);
  const Rule* rule = nullptr;
  if (command.form == Form::module) rule = find_rule(kModules, command.name, verb);
  if (command.form == Form::code) rule = find_code(command.name);
  if (command.form == Form::program) {
    rule = find_rule(kPrograms, command.name, verb);
    if (rule == nullptr) rule = find_script(command.path, verb);
  }
  if (rule == nullptr) return std::nullopt;
  Match match{.engine = rule->engine, .role = rule->role};
  if (rule->engine == Engine::vllm && rule->role == Role::api_server && only_launches(command)) {
    match.role = Role::launcher;
  }
  return match;
}

std::optional<Title> parse_title(std::string_view text) {
  const auto parts = split_title(text);
  if (!parts) return std::nullopt;
  const Engine engine = engine_of_prefix(parts->prefix);
  if (engine == Engine::ray_serve) return Title{.engine = engine, .claim = claim_of_ray(parts->name)};
  const TitleRule* rule = find_title(parts->name);
  if (rule == nullptr) return std::nullopt;
  return Title{.engine = engine, .claim = claim_of_title(*rule, parts->name)};
}

std::optional<Title> parse_comm_title(std::string_view comm) {
  const auto parts = split_title(comm);
  if (!parts) return std::nullopt;
  if (comm.size() < kCommLength) return parse_title(comm);
  constexpr std::size_t kEnoughLetters = 3;
  auto title = parse_title(comm);
  if (title) {
    title->claim.ranks = {};  // the last digits may have been cut off
    return title;
  }
  if (parts->name.size() < kEnoughLetters) return std::nullopt;
  std::optional<Role> only;
  for (const TitleRule& rule : kTitles) {
    if (!rule.name.starts_with(parts->name)) continue;
    if (only && *only != rule.role) return std::nullopt;
    only = rule.role;
  }
  if (!only) return std::nullopt;
  return Title{.engine = engine_of_prefix(parts->prefix), .claim = {.role = *only, .ranks = {}}};
}

std::optional<Match> match_comm(std::string_view comm) {
  std::optional<Match> only;
  for (const Rule& rule : kPrograms) {
    const bool cut = comm.size() == kCommLength && rule.name.starts_with(comm);
    if (!rule.verb.empty() || (rule.name != comm && !cut)) continue;
    if (only && only->role != rule.role) return std::nullopt;
    only = Match{.engine = rule.engine, .role = rule.role};
  }
  return only;
}

}  // namespace allocd::engine
