// SPDX-License-Identifier: Apache-2.0
// Whatever bytes a process puts into its command line: no crash, one answer, small ranks.
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"
#include "support/catch.hpp"
#include "support/rounds.hpp"

namespace {

using namespace allocd::engine;

// Pieces that steer into every branch, between random bytes.
constexpr std::string_view kPieces[] = {
    "VLLM::",
    "::",
    "Worker",
    "EngineCore",
    "_TP",
    "_DP",
    "4095",
    "4096",
    "99999999999999999999",
    "sglang::scheduler",
    "ray::",
    "python3",
    "-m",
    "-c",
    "-um",
    "bash",
    "env",
    "-S",
    "uv",
    "run",
    "--",
    "vllm",
    "serve",
    "docker",
    "busybox",
    "sh",
    "mpirun",
    "--mca",
    "timeout",
    "'",
    "\"",
    "\\",
    ";",
    "${",
    "}",
    "2>&1",
    "A=1",
    " ",
    "\n",
    "from multiprocessing.spawn import spawn_main",
    "triton_python_b",
    "/",
    ".py",
    "__main__.py",
    "-",
};

std::string random_cmdline(std::mt19937& random) {
  std::string text;
  const auto count = random() % 24;
  for (std::size_t i = 0; i < count; ++i) {
    switch (random() % 4) {
      case 0:
        text += static_cast<char>(random());
        break;
      case 1:
        text += '\0';
        break;
      default:
        text += kPieces[random() % std::size(kPieces)];
    }
  }
  return text;
}

bool is_small(const std::optional<std::uint32_t>& rank) {
  return !rank || *rank <= kMaxRank;
}

}  // namespace

TEST_CASE("any command line has one role and small ranks", "[engine][property]") {
  constexpr unsigned kSeed = 20240911;
  std::mt19937 random(kSeed);
  for (int round = 0; round < allocd::test::rounds(50'000); ++round) {
    const std::string cmdline = random_cmdline(random);
    const std::string comm = cmdline.substr(0, 15);
    const RoleClaim claim = decide_role(cmdline, comm);
    INFO("seed " << kSeed << " round " << round);
    REQUIRE(decide_role(cmdline, comm) == claim);
    REQUIRE(static_cast<std::size_t>(claim.role) < kRoleNames.names.size());
    REQUIRE((is_small(claim.ranks.dp) && is_small(claim.ranks.pp) && is_small(claim.ranks.tp) &&
             is_small(claim.ranks.ep)));
    const auto words = split_cmdline(cmdline);
    REQUIRE((words.empty() || !words.back().empty()));
    REQUIRE(decide_engine(words) == decide_engine(words));
  }
}

TEST_CASE("padding with NUL changes nothing", "[engine][property]") {
  std::mt19937 random(7);
  for (int round = 0; round < allocd::test::rounds(5'000); ++round) {
    const std::string cmdline = random_cmdline(random);
    REQUIRE(decide_role(cmdline, "x") == decide_role(cmdline + std::string(random() % 64, '\0'), "x"));
  }
}
