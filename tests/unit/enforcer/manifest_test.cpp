// SPDX-License-Identifier: Apache-2.0
#include "enforcer/manifest.hpp"

#include <unistd.h>

#include <filesystem>
#include <random>
#include <string>

#include "base/text.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using namespace allocd::enforcer;

namespace {

Manifest full_manifest() {
  Manifest manifest;
  TargetRecord record;
  record.service = "vllm";
  record.digest = "abc";
  record.paths = {"/etc/systemd/system/vllm@.service.d/zz-allocd.conf"};
  record.made_directories = {"/etc/systemd/system/vllm@.service.d"};
  record.automatic = true;
  record.applied_at = 1763942400.25;
  record.units["odd\\x2dname.service"] = {{.phase = policy::FusePhase::settling,
                                           .invocation = "0123456789abcdef0123456789abcdef",
                                           .restarts = 4294967295U,
                                           .up_since = 1763942401.5,
                                           .why = ""},
                                          true};
  record.rolled_back = "vllm@a.service: \"it died\"\n";
  record.rolled_back_at = 3;
  record.journal = {"", "line with \x1b[31m and \xE2\x9C\x93"};
  manifest.targets["vllm@.service"] = record;
  manifest.targets["plain.service"] = {};
  manifest.applied_total = 18446744073709551615U;
  manifest.reverted_total = 2;
  manifest.rolled_back_total = 3;
  manifest.restarts_total = 4;
  manifest.reload_needed = true;
  manifest.automatic_runs = {1.5, 2.5};
  manifest.blocked = {{"blocked.service", "tampered: \xC3\xA9 was edited"}};
  manifest.last_run = {.at = 9, .verb = "apply", .success = false, .error = "no", .changed = 1, .blocked = 2};
  manifest.last_plan = {.at = 8, .changes = 3, .blocked = 2};
  return manifest;
}

class StateDirectory {
 public:
  StateDirectory() {
    std::filesystem::create_directory(directory_.path() / "state");
    auto root = host::Root::open(directory_.path().string());
    REQUIRE(root);
    root_.emplace(std::move(*root));
  }
  [[nodiscard]] const host::Root& root() const { return *root_; }
  void write(const std::string& text) const { directory_.write("state/manifest.json", text); }
  [[nodiscard]] std::filesystem::path at(const std::string& name) const {
    return directory_.path() / "state" / name;
  }

 private:
  test::TemporaryDirectory directory_;
  std::optional<host::Root> root_;
};

}  // namespace

TEST_CASE("manifest: what is rendered is read back whole") {
  const auto manifest = full_manifest();
  auto back = parse_manifest(render_manifest(manifest));
  if (!back) FAIL(back.error().message());
  CHECK(back->targets.at("vllm@.service").journal.empty());
  parse_last_words(render_last_words(manifest), *back);
  CHECK(*back == manifest);
  CHECK(*parse_manifest(render_manifest({})) == Manifest{});
}

TEST_CASE("manifest: bytes that are no text come back as text") {
  Manifest manifest;
  manifest.targets["a\xFF.service"].journal = {"\xC3", std::string("nul\0nul", 7)};
  auto back = parse_manifest(render_manifest(manifest));
  REQUIRE(back);
  REQUIRE(back->targets.size() == 1);
  CHECK(back->targets.begin()->first == "a\xEF\xBF\xBD.service");
  parse_last_words(render_last_words(manifest), *back);
  CHECK(back->targets.begin()->second.journal[0] == "\xEF\xBF\xBD");
  CHECK(back->targets.begin()->second.journal[1] == std::string("nul\0nul", 7));
}

TEST_CASE("manifest: last words that are damaged are none") {
  for (const auto* text :
       {"", "[", "[1]", R"({"vllm@.service": "text"})", R"({"vllm@.service": [1, null]})"}) {
    Manifest manifest;
    manifest.targets["vllm@.service"] = {};
    parse_last_words(text, manifest);
    CHECK(manifest.targets.at("vllm@.service").journal.empty());
  }
}

TEST_CASE("manifest: what a service last said is for root alone") {
  const StateDirectory state;
  Manifest manifest;
  REQUIRE(write_manifest(state.root(), "/state", manifest));
  CHECK_FALSE(std::filesystem::exists(state.at("last-words.json")));
  manifest.targets["a.service"].journal = {"a secret"};
  REQUIRE(write_manifest(state.root(), "/state", manifest));
  CHECK(render_manifest(manifest).find("secret") == std::string::npos);
  CHECK(std::filesystem::status(state.at("last-words.json")).permissions() == std::filesystem::perms(0600));
  CHECK(*read_manifest(state.root(), "/state") == manifest);
  manifest.targets.clear();
  REQUIRE(write_manifest(state.root(), "/state", manifest));
  CHECK(state.root().read_file("/state/last-words.json")->find("secret") == std::string::npos);
}

TEST_CASE("manifest: no prefix of one is taken for one") {
  const auto text = render_manifest(full_manifest());
  for (std::size_t size = 0; size + 2 < text.size(); ++size) {
    INFO(size);
    REQUIRE_FALSE(parse_manifest(std::string_view(text).substr(0, size)));
  }
}

TEST_CASE("manifest: hostile documents are faults") {
  const auto* const text = GENERATE(
      "", "null", "[]", "{}", "3", "\"x\"", "{\"schema_version\":1}", "{\"schema_version\":\"1\"}",
      "{\"schema_version\":1,\"targets\":[]}", "{\"schema_version\":1,\"targets\":{\"a\":null}}",
      "{\"schema_version\":1,\"targets\":{\"a\":{\"paths\":[1]}}}", "\xFF\xFE", "{\"schema_version\":1e400}");
  const auto manifest = parse_manifest(text);
  REQUIRE_FALSE(manifest);
  CHECK(manifest.error().code == 0);
  CHECK_FALSE(manifest.error().message().empty());
}

TEST_CASE("manifest: members that are missing, unknown words and wrong types are faults") {
  const auto whole = render_manifest(full_manifest());
  const auto replaced = [&](const std::string& what, const std::string& by) {
    auto text = whole;
    const auto at = text.find(what);
    REQUIRE(at != std::string::npos);
    return text.replace(at, what.size(), by);
  };
  CHECK_FALSE(parse_manifest(replaced("\"digest\"", "\"digset\"")));
  CHECK_FALSE(parse_manifest(replaced("\"settling\"", "\"resting\"")));
  CHECK_FALSE(parse_manifest(replaced("\"automatic\": true", "\"automatic\": 1")));
  CHECK_FALSE(parse_manifest(replaced("\"why\": \"\"", "\"why\": null")));
}

TEST_CASE("manifest: one of a newer allocd is refused by its version") {
  auto text = render_manifest({});
  text.replace(text.find("\"schema_version\": 1"), 19, "\"schema_version\": 2");
  const auto manifest = parse_manifest(text);
  REQUIRE_FALSE(manifest);
  CHECK(manifest.error().message().find("schema_version is 2") != std::string::npos);
}

TEST_CASE("manifest: numbers that do not fit are faults") {
  const auto with_restarts = [](const std::string& number) {
    auto text = render_manifest(full_manifest());
    return text.replace(text.find("4294967295"), 10, number);
  };
  CHECK(parse_manifest(with_restarts("7")));
  for (const auto* number : {"-1", "4294967296", "1e30", "1.5", "true"}) {
    INFO(number);
    CHECK_FALSE(parse_manifest(with_restarts(number)));
  }
}

TEST_CASE("manifest: written, read, and an absent one is an empty one") {
  StateDirectory state;
  const auto none = read_manifest(state.root(), "/state");
  REQUIRE(none);
  CHECK(*none == Manifest{});
  REQUIRE(write_manifest(state.root(), "/state", full_manifest()));
  CHECK(*read_manifest(state.root(), "/state") == full_manifest());
  const auto mode = std::filesystem::status(state.at("manifest.json")).permissions();
  CHECK(static_cast<unsigned>(mode) == 0644);  // the observer reads it
  // The manifest and the last words.
  CHECK(std::distance(std::filesystem::directory_iterator(state.at("")), {}) == 2);
}

TEST_CASE("manifest: a broken one is moved aside, not overwritten") {
  StateDirectory state;
  state.write("{\"schema_version\": 1, \"targets\": ");
  std::string moved_to;
  const auto manifest = take_manifest(state.root(), "/state", moved_to);
  REQUIRE(manifest);
  CHECK(*manifest == Manifest{});
  CHECK(moved_to.starts_with("/state/manifest.json.bad-"));
  CHECK_FALSE(std::filesystem::exists(state.at("manifest.json")));
  CHECK(std::filesystem::exists(state.at(moved_to.substr(7))));
  moved_to.clear();
  CHECK(take_manifest(state.root(), "/state", moved_to));
  CHECK(moved_to.empty());
}

TEST_CASE("manifest: one that cannot be read stays where it is") {
  StateDirectory state;
  std::filesystem::create_directory(state.at("manifest.json"));
  std::string moved_to;
  CHECK_FALSE(take_manifest(state.root(), "/state", moved_to));
  CHECK(moved_to.empty());
  CHECK(std::filesystem::is_directory(state.at("manifest.json")));
  CHECK_FALSE(read_manifest(state.root(), "/absent/too")->reload_needed);
}

TEST_CASE("manifest: one that remembers nothing of what is blocked is understood") {
  auto manifest = full_manifest();
  manifest.blocked.clear();
  auto text = render_manifest(manifest);
  const std::string none = "  \"blocked\": {},\n";
  REQUIRE(text.find(none) != std::string::npos);
  text.erase(text.find(none), none.size());
  const auto back = parse_manifest(text);
  REQUIRE(back);
  CHECK(back->blocked.empty());
  text.insert(2, "  \"blocked\": [1],\n");
  CHECK_FALSE(parse_manifest(text));
}
