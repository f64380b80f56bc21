// SPDX-License-Identifier: Apache-2.0
#include "unitfile/environment.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace allocd::unitfile;

namespace {

using Strings = std::vector<std::string>;

UnitSources sources_of(const Strings& files) {
  UnitSources sources;
  for (const auto& text : files) {
    sources.files.push_back({"/u/" + std::to_string(sources.files.size()), "[Service]\n" + text});
  }
  sources.specifiers = Specifiers::of_unit("vllm@a.service", "/u/0");
  sources.process_one_environment = Strings{"CREDENTIAL=1", "PATH=/one"};
  return sources;
}

void add_file(UnitSources& sources, const std::string& path, const std::string& text) {
  sources.environment_files[path] = {
      .outcome = EnvironmentFileText::Outcome::read, .files = {{path, text}}, .cause = {}};
}

std::string value_of(const Environment& environment, const std::string& name) {
  const auto found = environment.variables.find(name);
  return found != environment.variables.end() && found->second.is_set ? found->second.value : "<not set>";
}

std::string value_in(const Strings& files, const std::string& name = "A") {
  return value_of(compute_environment(sources_of(files)), name);
}

// "origin path:line" of what wins; "" when nothing does.
std::string winner_of(const Environment& environment, const std::string& name) {
  constexpr const char* kOrigins[] = {"manager", "pass", "environment", "file", "unset"};
  std::string winner;
  for (const auto& each : environment.variables.at(name).contributions) {
    if (!each.wins) continue;
    CHECK(winner.empty());
    winner = std::string(kOrigins[static_cast<int>(each.origin)]) + " " + each.path + ":" +
             std::to_string(each.line);
  }
  return winner;
}

bool mentions(const Strings& doubts, std::string_view text) {
  for (const auto& doubt : doubts) {
    if (doubt.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("each origin beats the ones before it, wherever it is written") {
  auto sources = sources_of({"EnvironmentFile=/f\nPassEnvironment=PATH\nEnvironment=PATH=unit\n"});
  add_file(sources, "/f", "# c\nPATH=file\n");
  sources.manager_environment = {"PATH=manager", "not an assignment"};
  auto environment = compute_environment(sources);
  CHECK(value_of(environment, "PATH") == "file");
  CHECK(winner_of(environment, "PATH") == "file /f:2");
  std::vector<std::string> values;
  for (const auto& each : environment.variables["PATH"].contributions) values.push_back(each.value);
  CHECK(values == Strings{"manager", "/one", "unit", "file"});
  CHECK(environment.variables.size() == 1);

  sources.files.push_back({"/u/1", "[Service]\nUnsetEnvironment=PATH\n"});
  environment = compute_environment(sources);
  CHECK(value_of(environment, "PATH") == "<not set>");
  CHECK(winner_of(environment, "PATH") == "unset /u/1:2");
}

TEST_CASE("a later assignment and a later drop-in win") {
  CHECK(value_in({"Environment=A=1 A=2\nEnvironment=A=3"}) == "3");
  CHECK(value_in({"Environment=A=1", "Environment=A=2"}) == "2");
}

TEST_CASE("an empty assignment resets its own list only, and is named") {
  auto sources = sources_of({"Environment=A=1\nEnvironmentFile=/f\n", "Environment=\n", "Environment=B=2\n"});
  add_file(sources, "/f", "C=3\n");
  const auto environment = compute_environment(sources);
  CHECK(value_of(environment, "A") == "<not set>");
  CHECK(value_of(environment, "B") == "2");
  CHECK(value_of(environment, "C") == "3");
  REQUIRE(environment.variables.at("A").contributions.size() == 1);
  CHECK(environment.variables.at("A").contributions[0].reset_by == Place{"/u/1", 2});
  CHECK_FALSE(environment.variables.at("A").contributions[0].wins);
}

TEST_CASE("the other three lists are reset too") {
  CHECK(value_in({"Environment=A=1\nUnsetEnvironment=A\nUnsetEnvironment=\n"}) == "1");
  CHECK(value_in({"PassEnvironment=CREDENTIAL\nPassEnvironment=\n"}, "CREDENTIAL") == "<not set>");
  auto sources = sources_of({"EnvironmentFile=/f\nEnvironmentFile=\nEnvironmentFile=-/g\n"});
  add_file(sources, "/f", "A=f\n");
  add_file(sources, "/g", "B=g\n");
  CHECK(value_of(compute_environment(sources), "A") == "<not set>");
  CHECK(value_of(compute_environment(sources), "B") == "g");
  const auto paths = list_environment_files(sources);
  REQUIRE(paths.size() == 1);
  CHECK(paths[0].path == "/g");
  CHECK(paths[0].ignore_missing);
  CHECK(paths[0].named_in == "/u/0");
  CHECK(paths[0].line == 4);
}

TEST_CASE("only [Service] counts") {
  CHECK(value_in({"[Unit]\nEnvironment=A=1\n[ Service ]\nEnvironment=A=2\n[service]\nEnvironment=A=3\n"}) ==
        "<not set>");
}

TEST_CASE("UnsetEnvironment= with a value removes that value alone") {
  CHECK(value_in({"Environment=A=1\nUnsetEnvironment=A=2 A=\n"}) == "1");
  CHECK(value_in({"Environment=A=1\nUnsetEnvironment=A=1\n"}) == "<not set>");
  CHECK(value_in({"Environment=A=\nUnsetEnvironment=A=\n"}) == "<not set>");
}

TEST_CASE("invalid words are skipped with a doubt, and the rest of the line is not") {
  const auto environment = compute_environment(
      sources_of({"Environment=1A=x \"B=\\xff\" C=%K D \"E=%i\"\nEnvironment=F=1 \\e G=2\n"}));
  CHECK(value_of(environment, "E") == "a");
  CHECK(value_of(environment, "F") == "1");
  CHECK(environment.variables.size() == 2);
  CHECK(environment.doubts.size() == 5);
  CHECK(environment.doubts[0] == "/u/0:2: skipped, not valid: 1A=x");
  CHECK(environment.can_start);
}

TEST_CASE("a specifier we cannot expand is kept as it is written, and never hidden") {
  const auto environment = compute_environment(sources_of({"Environment=A=1 A=%H/x"}));
  CHECK(value_of(environment, "A") == "%H/x");
  CHECK_FALSE(environment.variables.at("A").contributions.back().is_resolved);
  CHECK(mentions(environment.doubts, "what %H stands for"));
}

TEST_CASE("a missing EnvironmentFile= keeps the unit from starting, unless '-' allows it") {
  auto sources = sources_of({"EnvironmentFile=-/f\nEnvironmentFile=/g\n"});
  sources.environment_files["/f"] = {};
  add_file(sources, "/g", "A=1\n");
  CHECK(compute_environment(sources).can_start);
  CHECK(compute_environment(sources).doubts.empty());
  sources.environment_files["/g"] = {};
  CHECK_FALSE(compute_environment(sources).can_start);
  CHECK(mentions(compute_environment(sources).doubts, "/u/0:3: there is no file /g"));
}

TEST_CASE("an environment file that could not be read is a doubt, not an absence") {
  auto sources = sources_of({"EnvironmentFile=/f\nEnvironmentFile=/g\n"});
  sources.environment_files["/f"] = {
      .outcome = EnvironmentFileText::Outcome::unreadable, .files = {}, .cause = "no permission"};
  const auto environment = compute_environment(sources);
  CHECK(mentions(environment.doubts, "what /f sets is not known here: no permission"));
  CHECK(mentions(environment.doubts, "/g was not read"));
  CHECK(environment.can_start);
}

TEST_CASE("an environment file that systemd refuses sets nothing") {
  auto sources = sources_of({"EnvironmentFile=/f\n"});
  add_file(sources, "/f", "A=1\nB=\xFF\n");
  CHECK_FALSE(compute_environment(sources).can_start);
  CHECK(compute_environment(sources).variables.empty());
  sources.files[0].text = "[Service]\nEnvironmentFile=-/f\n";
  CHECK(compute_environment(sources).can_start);
}

TEST_CASE("paths that are no plain absolute path are skipped") {
  const auto path = GENERATE(as<std::string>(), "relative", "-", "- /f", "--/f", "/a/../f", "\"/f\"", "/%K");
  const auto sources = sources_of({"EnvironmentFile=" + path + "\n"});
  CHECK(list_environment_files(sources).empty());
  CHECK(compute_environment(sources).doubts.size() == 1);
}

TEST_CASE("paths are expanded and simplified") {
  const auto paths = list_environment_files(sources_of({"EnvironmentFile=-//%i/./b c/%%\n"}));
  REQUIRE(paths.size() == 1);
  CHECK(paths[0].path == "/a/b c/%");
}

TEST_CASE("what comes after a line systemd cannot stand is not in force") {
  const auto drop_in =
      compute_environment(sources_of({"Environment=A=1", "Environment=A=2\n[broken\nEnvironment=A=3"}));
  CHECK(value_of(drop_in, "A") == "2");
  CHECK(drop_in.can_start);
  const auto fragment = compute_environment(sources_of({"Environment=A=1\n[broken\nEnvironment=A=2\n"}));
  CHECK_FALSE(fragment.can_start);
}

TEST_CASE("what process 1 has to pass may not be known") {
  auto sources = sources_of({"PassEnvironment=CREDENTIAL GONE\n"});
  CHECK(value_of(compute_environment(sources), "CREDENTIAL") == "1");
  CHECK(winner_of(compute_environment(sources), "CREDENTIAL") == "pass /u/0:2");
  CHECK(value_of(compute_environment(sources), "GONE") == "<not set>");
  sources.process_one_environment.reset();
  CHECK(compute_environment(sources).doubts.size() == 2);
}

TEST_CASE("the comment rule follows systemd's version, and matters only where it shows") {
  auto sources = sources_of({"EnvironmentFile=/f\n"});
  add_file(sources, "/f", "# c \\\nA=1\n");
  CHECK(mentions(compute_environment(sources).doubts, "systemd before 254"));
  sources.systemd_version = 252;
  CHECK(value_of(compute_environment(sources), "A") == "<not set>");
  CHECK(compute_environment(sources).doubts.empty());
  sources.systemd_version = 254;
  CHECK(value_of(compute_environment(sources), "A") == "1");
  sources.systemd_version = 0;
  add_file(sources, "/f", "# c\nA=1\n");
  CHECK(compute_environment(sources).doubts.empty());
}

TEST_CASE("PAM modules are a doubt, and doubts of reading are passed on") {
  auto sources = sources_of({"PAMName=login\n"});
  sources.doubts = {"/u/9:0: gone"};
  const auto doubts = compute_environment(sources).doubts;
  CHECK(mentions(doubts, "/u/0:2: PAM"));
  CHECK(mentions(doubts, "/u/9:0: gone"));
}

TEST_CASE("a doubt cannot carry terminal controls") {
  const auto environment = compute_environment(sources_of({"Environment=\x1b[2J\n"}));
  REQUIRE(environment.doubts.size() == 1);
  CHECK(environment.doubts[0].find('\x1b') == std::string::npos);
}
