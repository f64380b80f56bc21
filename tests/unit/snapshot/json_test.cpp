// SPDX-License-Identifier: Apache-2.0
#include "snapshot/json.hpp"

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/sample_snapshot.hpp"

namespace snapshot = allocd::snapshot;
using allocd::test::sample_snapshot;

namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string fault_of(const std::string& text) {
  const auto parsed = snapshot::parse_json(text);
  return parsed ? "" : parsed.error().message();
}

}  // namespace

TEST_CASE("a snapshot survives the way to JSON and back") {
  const auto sample = sample_snapshot();
  const auto parsed = snapshot::parse_json(snapshot::render_json(sample));
  REQUIRE(parsed);
  CHECK(*parsed == sample);
}

TEST_CASE("an empty snapshot survives too") {
  const auto parsed = snapshot::parse_json(snapshot::render_json({}));
  REQUIRE(parsed);
  CHECK(*parsed == snapshot::Snapshot{});
}

TEST_CASE("without_processes leaves out the processes and nothing else") {
  auto sample = sample_snapshot();
  // Names that look like the end of the array, or like the array itself.
  sample.units.back().processes.front().comm = R"(]}"\],"processes":[{)";
  sample.units.back().name = R"("processes":[)";
  sample.units.back().roles.front().processes = 7;
  const auto parsed =
      snapshot::parse_json(snapshot::render_json(sample), snapshot::Detail::without_processes);
  REQUIRE(parsed);
  for (auto& unit : sample.units) unit.processes.clear();
  CHECK(*parsed == sample);
}

TEST_CASE("keys of a newer minor form are ignored") {
  const auto sample = sample_snapshot();
  auto text = replaced(snapshot::render_json(sample), "{\"schema_version\"",
                       R"({"weather":{"processes":[1,{"a":[]}]},"schema_version")");
  text = replaced(text, R"("resident":)", R"("huge":12.5,"resident":)");
  for (const auto detail : {snapshot::Detail::everything, snapshot::Detail::without_processes}) {
    CHECK(snapshot::parse_json(text, detail).has_value());
  }
}

TEST_CASE("keys may stand in any order, and empty lists and objects anywhere") {
  auto sample = sample_snapshot();
  sample.units.front().processes.clear();
  sample.node.state.thp.events.clear();
  const auto sorted = nlohmann::json::parse(snapshot::render_json(sample)).dump(2);
  const auto parsed = snapshot::parse_json(sorted);
  REQUIRE(parsed);
  CHECK(*parsed == sample);
}

TEST_CASE("a low that was not seen is null and comes back as that, on both sockets") {
  auto sample = sample_snapshot();
  auto& drift = sample.units.back().drift;
  drift.lows = {1.5, std::nullopt, 0.0};
  drift.floor.reset();
  const auto text = snapshot::render_json(sample);
  CHECK(text.find(R"("lows":[1.5,null,0])") != std::string::npos);
  CHECK(text.find(R"("floor":null)") != std::string::npos);
  for (const auto detail : {snapshot::Detail::everything, snapshot::Detail::without_processes}) {
    const auto rendered = snapshot::parse_json(snapshot::render_json(sample, detail));
    const auto skipped = snapshot::parse_json(text, detail);
    REQUIRE(rendered);
    REQUIRE(skipped);
    CHECK(rendered->units.back().drift == drift);
    CHECK(skipped->units.back().drift == drift);
  }
}

TEST_CASE("a figure that may be absent is absent where it is not finite") {
  auto sample = sample_snapshot();
  auto& drift = sample.units.back().drift;
  drift.time_to_limit = std::numeric_limits<double>::infinity();
  drift.lows = {std::numeric_limits<double>::quiet_NaN()};
  const auto parsed = snapshot::parse_json(snapshot::render_json(sample));
  REQUIRE(parsed);
  CHECK_FALSE(parsed->units.back().drift.time_to_limit);
  CHECK(parsed->units.back().drift.lows == std::vector<std::optional<double>>{std::nullopt});
}

TEST_CASE("a report of drift is checked like everything else") {
  const auto text = snapshot::render_json(sample_snapshot());
  CHECK(fault_of(replaced(text, R"("state":"watch","slow")", R"("state":"fine","slow")")) ==
        "cannot parse the snapshot: $.units[5].drift.state: unknown name 'fine'");
  CHECK(fault_of(replaced(text, R"("limit_kind":"cgroup")", R"("limit_kind":"sky")")) ==
        "cannot parse the snapshot: $.units[5].drift.limit_kind: unknown name 'sky'");
  CHECK(fault_of(replaced(text, R"("lows":[4)", R"("lows":[true,4)")) ==
        "cannot parse the snapshot: $.units[5].drift.lows[0]: expected a number, found boolean");
}

TEST_CASE("a limit is a number of bytes or the word max") {
  const auto text = snapshot::render_json(sample_snapshot());
  CHECK(snapshot::parse_json(replaced(text, R"("high":"max")", R"("high":123)")).has_value());
  CHECK(fault_of(replaced(text, R"("high":"max")", R"("high":"most")"))
            .find("expected an integer or 'max', found string") != std::string::npos);
  CHECK(fault_of(replaced(text, R"("high":"max")", R"("high":true)"))
            .find("expected an integer, found boolean") != std::string::npos);
}

TEST_CASE("the number of a node and the names of figures are checked") {
  const auto text = snapshot::render_json(sample_snapshot());
  CHECK(fault_of(replaced(text, R"("nodes":{"0":{"anon")", R"("nodes":{"-1":{"anon")"))
            .ends_with("-1: not the number of a node"));
  CHECK(fault_of(replaced(text, R"("nodes":{"0":{"anon")", R"("nodes":{"0":{"none")"))
            .ends_with("0.none: unknown name 'none'"));
  CHECK(fault_of(replaced(text, R"("workingset_refault_anon":0)", R"("workingset_refault_anon":null)"))
            .ends_with("workingset_refault_anon: expected an integer, found null"));
}

TEST_CASE("the fault names the place and what is wrong there") {
  const auto text = snapshot::render_json(sample_snapshot());
  const auto with = [&](const std::string& from, const std::string& to) {
    return fault_of(replaced(text, from, to));
  };
  CHECK(with("\"schema_version\":1", "\"schema_version\":2") ==
        "cannot parse the snapshot: $.schema_version: 2 is not known here, only 1; allocd and this program "
        "differ");
  CHECK(with("\"schema_version\":1", "\"schema_version\":\"1\"").find("$.schema_version: string") !=
        std::string::npos);
  CHECK(with("\"schema_version\":1,", "") == "cannot parse the snapshot: $.schema_version: missing");
  CHECK(with("\"interval\":", "\"intervall\":") == "cannot parse the snapshot: $.interval: missing");
  CHECK(with("\"pid\":7001", "\"pid\":2147483648") ==
        "cannot parse the snapshot: $.units[0].processes[0].pid: 2147483648 is outside -2147483648 to "
        "2147483647");
  CHECK(with("\"sequence\":27361", "\"sequence\":-1") ==
        "cannot parse the snapshot: $.sequence: -1 is outside 0 to 18446744073709551615");
  CHECK(with("\"sequence\":27361", "\"sequence\":1.5") ==
        "cannot parse the snapshot: $.sequence: expected an integer, found number");
  CHECK(with("\"role\":\"launcher\"", "\"role\":\"mascot\"") ==
        "cannot parse the snapshot: $.units[0].roles[0].role: unknown name 'mascot'");
  CHECK(with("\"active\":{\"glibc\":1", "\"active\":{\"gl\\u001bibc\":1") ==
        "cannot parse the snapshot: $.units[0].roles[0].active.gl\\x1bibc: unknown name 'gl\\x1bibc'");
  CHECK(with("\"connected\":true", "\"connected\":1") ==
        "cannot parse the snapshot: $.bus.connected: expected true or false, found number");
  CHECK(with("\"link\":\"policy\"", "\"link\":\"on_disk\"") ==
        "cannot parse the snapshot: $.units[0].assessment.chain[0]: unexpected link 'on_disk'");
  CHECK(with("\"hostname\":\"gpu-node-07\"", "\"hostname\":null") ==
        "cannot parse the snapshot: $.hostname: expected a string, found null");
}

TEST_CASE("what is not a snapshot is told apart from what ends early") {
  CHECK(fault_of("") == "cannot parse the snapshot: it ends early, after 0 bytes");
  CHECK(fault_of("{\"schema_version\":1") == "cannot parse the snapshot: it ends early, after 19 bytes");
  CHECK(fault_of("GET / HTTP/1.1\r\n") == "cannot parse the snapshot: not JSON at byte 1");
  CHECK(fault_of("[]") == "cannot parse the snapshot: $: expected an object, found array");
  CHECK(fault_of("null") == "cannot parse the snapshot: $: expected an object, found null");
  CHECK(fault_of(R"({"schema_version":1e999})").starts_with("cannot parse the snapshot: "));
  CHECK(fault_of(std::string(200'000, '[')).starts_with("cannot parse the snapshot: it ends early"));
}

TEST_CASE("bytes that are no text come out as replacement characters, and the rest stays") {
  auto sample = sample_snapshot();
  sample.units.front().name = "a\xFF\xFE b\x1B[31m\n";
  const auto parsed = snapshot::parse_json(snapshot::render_json(sample));
  REQUIRE(parsed);
  CHECK(parsed->units.front().name == "a\xEF\xBF\xBD\xEF\xBF\xBD b\x1B[31m\n");
}
