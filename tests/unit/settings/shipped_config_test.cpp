// SPDX-License-Identifier: Apache-2.0
// The configuration we ship teaches by example: every example must be right.
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/text.hpp"
#include "settings/schema.hpp"
#include "support/settings_text.hpp"

namespace fs = std::filesystem;
using namespace allocd::settings;

namespace {

const fs::path kConfig = fs::path(ALLOCD_SOURCE_DIR) / "config";

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  INFO(path.string());
  REQUIRE(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// As the head of the file says: ## explains, one # hides a setting.
std::string uncomment(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto line = allocd::base::take_line(text);
    if (line.starts_with("##") || line.empty()) continue;
    REQUIRE(line[0] == '#');
    out += std::string(line.substr(1)) + "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("the shipped file sets nothing") {
  const auto settings = allocd::test::good(read_text(kConfig / "allocd.yaml"));
  CHECK(settings.observe == Observe{});
  CHECK(settings.mode == Mode::observe);
  CHECK(settings.services.empty());
}

TEST_CASE("the shipped file, uncommented, shows the defaults and an example service") {
  const auto text = uncomment(read_text(kConfig / "allocd.yaml"));
  const auto settings = allocd::test::good(text);
  CHECK(settings.observe == Observe{});
  CHECK(settings.mode == Settings{}.mode);
  CHECK(settings.persist == Settings{}.persist);
  CHECK(settings.max_concurrent_restarts == Settings{}.max_concurrent_restarts);
  REQUIRE(settings.services.size() == 2);
  CHECK(settings.services[0].selectors.size() == 2);
  CHECK(settings.services[0].allocator == Wanted::jemalloc);
  CHECK(settings.services[0].settle == Service{}.settle);
  CHECK(settings.services[0].windows.size() == 2);
  CHECK(settings.services[0].model_paths.size() == 1);
  CHECK(settings.services[0].costly_reads.size() == 2);
  CHECK(settings.services[1].glibc.arena_max == 4U);
  CHECK(settings.expect.at("max_map_count") == ">=262144");
}

TEST_CASE("the shipped file names every key, with its range") {
  const auto text = read_text(kConfig / "allocd.yaml");
  const auto settings = uncomment(text);
  for (const auto& key : documented_keys()) {
    const auto name = key.path.substr(key.path.rfind('.') + 1);
    if (name == "NAME") continue;
    INFO(key.path);
    CHECK(settings.find(name + ":") != std::string::npos);
    const bool is_range = key.type != "word" && key.range.find(" to ") != std::string::npos;
    if (is_range) CHECK(text.find(" " + key.range + ".\n") != std::string::npos);
  }
}

TEST_CASE("the shipped file names everything that can be expected of the machine") {
  const auto text = read_text(kConfig / "allocd.yaml");
  for (const auto& key : allocd::node::expectation_keys()) {
    INFO(key.name);
    CHECK(text.find(key.name) != std::string::npos);
  }
}

TEST_CASE("the shipped examples are good, each alone and all together") {
  std::vector<SourceText> sources;
  for (const auto& entry : fs::directory_iterator(kConfig / "conf.d" / "examples")) {
    INFO(entry.path().string());
    CHECK(entry.path().string().ends_with(".yaml.example"));
    sources.push_back({entry.path().filename().string(), read_text(entry.path())});
    const auto settings = allocd::test::good(sources.back().text);
    CHECK_FALSE((settings.services.empty() && settings.expect.empty()));
  }
  std::set<std::string> names;
  for (const auto& source : sources) names.insert(source.name);
  CHECK(names == std::set<std::string>{"containers.yaml.example", "enforce.yaml.example", "node.yaml.example",
                                       "sglang.yaml.example", "vllm.yaml.example"});
  CHECK(allocd::test::report(sources).empty());
  // And when everything is to be enforced: containers are then still observed.
  sources.push_back({"zz.yaml", "mode: enforce\n"});
  CHECK(allocd::test::report(sources).empty());
}
