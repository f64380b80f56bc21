// SPDX-License-Identifier: Apache-2.0
// The text of a state file, and what is done with one that is not ours, not whole or not of this version.
#include "drift/state_text.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/drift_series.hpp"

using namespace allocd;
using drift::kHour;
using drift::parse_state;
using drift::render_state;
using drift::StateProblem;
using drift::UnitHistory;
using test::kGiB;
using test::kMiB;

namespace {

UnitHistory lived(const std::string& unit = "vllm@a.service") {
  UnitHistory history(unit);
  const std::vector<drift::RoleMemory> roles{{engine::Role::scheduler, 7}, {engine::Role::worker, 3 * kGiB}};
  for (std::uint32_t life = 1; life < 4; ++life) {
    for (const auto& point : test::make_series({.daily = kGiB, .noise = kMiB}, 30 * kHour, 300)) {
      auto sample = test::to_sample(point, 8 * kGiB);
      sample.roles = roles;
      REQUIRE(history.feed({"f00-ba", life, 77}, 1.8e9 + life * 1e6 + point.uptime + 0.25, sample));
    }
  }
  return history;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

StateProblem problem_of(const std::string& text, const std::string& unit = "vllm@a.service") {
  const auto parsed = parse_state(text, unit);
  REQUIRE_FALSE(parsed);
  CHECK_FALSE(parsed.error().cause.empty());
  return parsed.error().problem;
}

}  // namespace

TEST_CASE("drift state: comes back as it was written") {
  const auto history = lived();
  const auto text = render_state(history);
  CHECK(text.size() < 40'000);
  const auto parsed = parse_state(text, "vllm@a.service");
  REQUIRE(parsed);
  CHECK(parsed->facts() == history.facts());
  CHECK(parsed->life() == history.life());
  CHECK(render_state(*parsed) == text);
}

TEST_CASE("drift state: a unit that was never sampled, and one with a name of any bytes") {
  const auto fresh = parse_state(render_state(UnitHistory("a.service")), "a.service");
  REQUIRE(fresh);
  CHECK_FALSE(fresh->facts().key);
  CHECK(fresh->life() == drift::LifeState{});
  const std::string name = "/machine.slice/\xff\"\n.scope";
  const auto odd = parse_state(render_state(UnitHistory(name)), name);
  REQUIRE(odd);
  CHECK(odd->facts().unit == name);
}

TEST_CASE("drift state: of a later allocd, of another unit, or damaged") {
  const auto text = render_state(lived());
  CHECK(problem_of(replaced(text, "\"schema_version\":1", "\"schema_version\":2")) == StateProblem::newer);
  // Whatever else a later one may hold.
  CHECK(problem_of("{\"schema_version\":7}") == StateProblem::newer);
  CHECK(problem_of(text, "other.service") == StateProblem::of_another_unit);
  for (const char* bad :
       {"", "null", "[]", "{}", "\"x\"", "{\"schema_version\":0}", "{\"schema_version\":-1}",
        "{\"schema_version\":\"1\"}", "{\"schema_version\":1}", "\x00\x01"})
    CHECK(problem_of(bad) == StateProblem::damaged);
}

TEST_CASE("drift state: cut anywhere it is damaged, and never half a history") {
  const auto text = render_state(lived());
  for (std::size_t length = 0; length + 1 < text.size(); length += 97)
    CHECK(problem_of(text.substr(0, length)) == StateProblem::damaged);
}

TEST_CASE("drift state: figures that cannot be are refused") {
  const auto text = render_state(lived());
  const auto parts = "\"parts\":" + std::to_string(lived().life().memory.running.parts);
  for (const auto& [what, with] :
       std::vector<std::pair<std::string, std::string>>{{"\"warm_floor\":", "\"warm_floor\":-"},
                                                        {"\"last_uptime\":", "\"last_uptime\":1"},
                                                        {"\"hour\":29", "\"hour\":290"},
                                                        {"\"hour\":29", "\"hour\":-2"},
                                                        {parts, "\"parts\":65536"},
                                                        {parts, "\"parts\":1.5"},
                                                        {"\"end\":29", "\"end\":28"},
                                                        {"\"end\":29", "\"end\":18446744073709551615"},
                                                        {"\"values\":[", "\"values\":[1e300,"},
                                                        {"\"values\":[", "\"values\":[0,"},
                                                        {"\"pid\":3", "\"pid\":4294967296"},
                                                        {"\"worker\":", "\"wroker\":"},
                                                        {"\"lives\":[", "\"lives\":[0,"}})
    CHECK(problem_of(replaced(text, what, with)) == StateProblem::damaged);
}
