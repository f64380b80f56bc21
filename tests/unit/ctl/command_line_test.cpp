// SPDX-License-Identifier: Apache-2.0
#include "ctl/command_line.hpp"

#include <string>
#include <vector>

#include "ctl/terminal.hpp"
#include "support/catch.hpp"

using namespace allocd::ctl;

namespace {

auto parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "allocctl");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

}  // namespace

TEST_CASE("global options stand before or behind the command") {
  for (const auto& arguments :
       {std::vector<const char*>{"--socket", "/s", "--output=json", "show", "vllm"},
        std::vector<const char*>{"show", "vllm", "--output", "json", "--socket=/s"}}) {
    const auto line = parse(arguments);
    REQUIRE(line);
    CHECK(line->command == Command::show);
    CHECK(line->unit == "vllm");
    CHECK(line->socket == "/s");
    CHECK(line->output == Output::json);
    CHECK(line->color == ColorMode::automatic);
    CHECK(line->timeout == std::chrono::seconds(3));
  }
}

TEST_CASE("the rest of the options") {
  CHECK(parse({"status", "--no-color"})->color == ColorMode::never);
  CHECK(parse({"status", "--color=always"})->color == ColorMode::always);
  CHECK(parse({"status", "--timeout=50"})->timeout == std::chrono::milliseconds(50));
  CHECK(parse({"check-config"})->file == std::nullopt);
  CHECK(parse({"node"})->command == Command::node);
  CHECK(parse({"drift"})->command == Command::drift);
  CHECK(parse({"drift"})->units.empty());
  CHECK(parse({"drift", "vllm", "--output=json"})->units == std::vector<std::string>{"vllm"});
  CHECK(parse({"drift", ""})->units == std::vector<std::string>{""});  // and not all of them
  CHECK_FALSE(parse({"drift", "a", "b"}));
  CHECK_FALSE(parse({"node", "0"}));
  CHECK(parse({"check-config", "a.yaml"})->file == "a.yaml");
}

TEST_CASE("help and version are answers, anything misspelt is a usage error") {
  for (const auto* option : {"--help", "--version", "-h"}) {
    const auto ended = parse({option});
    REQUIRE(!ended);
    CHECK(ended.error().code == kDone);
    CHECK(ended.error().err.empty());
    CHECK_FALSE(ended.error().out.empty());
  }
  for (const auto& arguments :
       {std::vector<const char*>{}, std::vector<const char*>{"stats"}, std::vector<const char*>{"show"},
        std::vector<const char*>{"show", "a", "b"}, std::vector<const char*>{"status", "--output=xml"},
        std::vector<const char*>{"status", "--output=0"}, std::vector<const char*>{"status", "--timeout=0"},
        std::vector<const char*>{"status", "--timeout=4294967297"},
        std::vector<const char*>{"status", "list"},
        std::vector<const char*>{"status", "--color=never", "--no-color"}}) {
    const auto ended = parse(arguments);
    REQUIRE(!ended);
    CHECK(ended.error().code == kUsage);
    CHECK(ended.error().out.empty());
    CHECK_FALSE(ended.error().err.empty());
  }
}

TEST_CASE("colour is for terminals that want it, unless the command line says otherwise") {
  using Mode = ColorMode;
  CHECK(decide_color(Mode::automatic, {true, std::nullopt, "xterm"}));
  CHECK(decide_color(Mode::automatic, {true, "", "xterm"}));
  CHECK_FALSE(decide_color(Mode::automatic, {true, "1", "xterm"}));
  CHECK_FALSE(decide_color(Mode::automatic, {true, std::nullopt, "dumb"}));
  CHECK_FALSE(decide_color(Mode::automatic, {true, std::nullopt, std::nullopt}));
  CHECK_FALSE(decide_color(Mode::automatic, {false, std::nullopt, "xterm"}));
  CHECK(decide_color(Mode::always, {false, "1", "dumb"}));
  CHECK_FALSE(decide_color(Mode::never, {true, std::nullopt, "xterm"}));
}

TEST_CASE("the verbs that change something") {
  const auto plan = parse({"plan", "a", "b.service", "--config", "/x.yaml", "--config-dir=/x.d", "--retry"});
  REQUIRE(plan);
  CHECK(plan->command == Command::plan);
  CHECK(plan->units == std::vector<std::string>{"a", "b.service"});
  CHECK(plan->places.config_file == "/x.yaml");
  CHECK(plan->places.config_directory == "/x.d");
  CHECK(plan->retry);
  const auto apply = parse({"apply", "-y", "--force", "--wait", "--enforcer.run-directory=/r"});
  REQUIRE(apply);
  CHECK((apply->yes && apply->force && apply->wait && apply->units.empty()));
  CHECK(apply->places.run_directory == "/r");
  CHECK(parse({"apply", "--dry-run"})->dry_run);
  CHECK(parse({"revert", "--all"})->all);
  CHECK(parse({"revert", "a"})->units.size() == 1);
  CHECK(parse({"verify"})->units.empty());
  CHECK(parse({"reload", "--wait"})->wait);
}

TEST_CASE("what would change more than was meant is a usage error") {
  for (const auto& arguments :
       {std::vector<const char*>{"revert"}, std::vector<const char*>{"revert", "--all", "a"},
        std::vector<const char*>{"revert", "--retry", "a"}, std::vector<const char*>{"plan", "--yes"},
        std::vector<const char*>{"apply", "--all"},
        std::vector<const char*>{"apply", "--dry-run", "--wait"}}) {
    const auto ended = parse(arguments);
    REQUIRE(!ended);
    CHECK(ended.error().code == kUsage);
    CHECK(ended.error().out.empty());
    CHECK_FALSE(ended.error().err.empty());
  }
}

TEST_CASE("options for tests are not shown") {
  CHECK(parse({"apply", "--help"}).error().out.find("enforcer.") == std::string::npos);
  CHECK(parse({"plan", "--help"}).error().out.find("--config-dir") != std::string::npos);
}
