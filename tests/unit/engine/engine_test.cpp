// SPDX-License-Identifier: Apache-2.0
// What decides between the sources of a role. The many real command lines are in tests/corpus/engine.
#include "engine/engine.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace allocd::engine;

namespace {

std::string cmdline(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += word + '\0';
  return text;
}

Role role(const std::vector<std::string>& words, std::string_view comm = "") {
  return decide_role(cmdline(words), comm).role;
}

}  // namespace

TEST_CASE("a command line splits at NUL, and padding is no word", "[engine]") {
  CHECK(split_cmdline("").empty());
  CHECK(split_cmdline(std::string_view("\0\0\0", 3)).empty());
  CHECK(split_cmdline(std::string_view("a\0b c\0", 6)) == std::vector<std::string>{"a", "b c"});
  CHECK(split_cmdline(std::string_view("a\0\0b\0\0\0", 7)) == std::vector<std::string>{"a", "", "b"});
  CHECK(split_cmdline("no terminator") == std::vector<std::string>{"no terminator"});
}

TEST_CASE("a title is one string alone", "[engine]") {
  CHECK(role({"VLLM::EngineCore"}) == Role::engine_core);
  CHECK(role({"VLLM::EngineCore", "serve"}) == Role::other);
  CHECK(role({"llama-server", "-m", "VLLM::Worker_TP0"}) == Role::api_server);
  // The rest of the argument area is not always cleared to NUL.
  CHECK(role({"VLLM::EngineCore", "", "", ""}) == Role::engine_core);
}

TEST_CASE("the command line is asked before comm", "[engine]") {
  // A thread library may rename the main thread; argv that says what it is stands.
  CHECK(role({"vllm", "serve", "m"}, "VLLM::Worker_TP") == Role::api_server);
  // setproctitle that could not find the argument area set comm alone.
  CHECK(role({"python3", "-c", "from multiprocessing.spawn import spawn_main; spawn_main()"},
             "VLLM::Worker_TP") == Role::worker);
  CHECK(role({"python3", "serve.py"}, "sglang::schedul") == Role::scheduler);
  CHECK(role({"python3", "serve.py"}, "python3") == Role::other);
}

TEST_CASE("comm keeps 15 bytes: a role that is still certain is taken, a rank never", "[engine]") {
  CHECK(decide_role("", "VLLM::EngineCor").role == Role::engine_core);
  CHECK(decide_role("", "VLLM::Worker_TP").role == Role::worker);
  CHECK(decide_role("", "V::Worker_TP123") == RoleClaim{Role::worker, {}});
  CHECK(decide_role("", "V::Worker_TP1").ranks.tp == 1U);         // 13 bytes: nothing was cut
  CHECK(decide_role("", "LongPrefixx::DP").role == Role::other);  // coordinator or engine core
  CHECK(decide_role("", "Prefixxxxxx::de").role == Role::other);  // two letters are too few
  CHECK(decide_role("", "Prefixxxxx::det").role == Role::detokenizer);
  CHECK(decide_role("", "text-generation").role == Role::other);  // launcher, router or server
  CHECK(decide_role("", "triton_python_b").role == Role::worker);
}

TEST_CASE("ranks are small or absent", "[engine]") {
  const auto ranks = [](const char* title) { return decide_role(title, "").ranks; };
  CHECK(ranks("V::Worker_TP0").tp == 0U);
  CHECK(ranks("V::Worker_TP4095").tp == kMaxRank);
  CHECK_FALSE(ranks("V::Worker_TP4096").tp);
  CHECK_FALSE(ranks("V::Worker_TP18446744073709551616").tp);
  CHECK_FALSE(ranks("V::Worker_TP1x").tp);
  CHECK_FALSE(ranks("V::Worker_TP").tp);
  CHECK(ranks("V::Worker_TP99999_DP1").dp == 1U);
  CHECK(ranks("V::EngineCore_DP2_9").dp == 2U);
  CHECK(ranks("V::Worker_MOE_DP5_DP1").dp == 1U);
}

TEST_CASE("the engine of a title is its prefix, unless a user set it", "[engine]") {
  const auto engine = [](const char* title) { return decide_engine(std::vector<std::string>{title}); };
  CHECK(engine("VLLM::EngineCore") == Engine::vllm);
  CHECK(engine("vllm::EngineCore") == Engine::vllm);
  CHECK(engine("sglang::scheduler_TP0") == Engine::sglang);
  CHECK(engine("ray::IDLE") == Engine::ray_serve);
  CHECK(engine("mine::EngineCore") == Engine::unknown);
}

TEST_CASE("a container client is told from a server", "[engine]") {
  using Words = std::vector<std::string>;
  CHECK(is_container_client(Words{"/usr/bin/docker", "run", "--rm", "vllm/vllm-openai"}));
  CHECK(is_container_client(Words{"podman", "run", "x"}));
  CHECK(is_container_client(Words{"sudo", "-u", "root", "nerdctl", "run", "x"}));
  CHECK(is_container_client(Words{"/bin/sh", "-c", "docker rm -f vllm; exec docker run vllm"}));
  CHECK_FALSE(is_container_client(Words{"vllm", "serve", "docker"}));
  CHECK_FALSE(is_container_client(Words{"/opt/docker/bin/vllm", "serve", "m"}));
  CHECK_FALSE(is_container_client(Words{}));
}
