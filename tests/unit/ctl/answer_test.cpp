// SPDX-License-Identifier: Apache-2.0
#include "ctl/answer.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "ctl/json_views.hpp"
#include "snapshot/json.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/sample_drift.hpp"
#include "support/sample_snapshot.hpp"

using namespace allocd;
using namespace allocd::ctl;
using Json = nlohmann::json;

namespace {

const RenderOptions kFresh{.now = test::kSampleTime + 4};

Answer answer(Command command, const std::string& unit = "", Output output = Output::table,
              const RenderOptions& options = kFresh) {
  CommandLine line;
  line.command = command;
  line.unit = unit;
  line.output = output;
  return answer_from(test::sample_snapshot(), line, options);
}

}  // namespace

TEST_CASE("only explain speaks through its exit code") {
  for (const auto command : {Command::status, Command::list, Command::metrics}) {
    const auto one = answer(command);
    CHECK(one.code == kDone);
    CHECK_FALSE(one.out.empty());
    CHECK(one.err.empty());
  }
  CHECK(answer(Command::show, "vllm").code == kDone);
  CHECK(answer(Command::explain, "vllm").code == kDiffers);
  CHECK(answer(Command::explain, "secret-llm").code == kDiffers);
  CHECK(answer(Command::explain, "sglang").code == kDone);
  CHECK(answer(Command::explain, "tgi").code == kDone);
  CHECK(answer(Command::explain, "vllm", Output::json).code == kDiffers);
}

TEST_CASE("node speaks through its exit code too: what is missed or unknown is not as declared") {
  auto sample = test::sample_snapshot();
  CommandLine line;
  line.command = Command::node;
  CHECK(answer_from(sample, line, kFresh).code == kDiffers);
  for (auto& result : sample.node.expectations) result.state = node::ExpectationState::met;
  CHECK(answer_from(sample, line, kFresh).code == kDone);
  sample.node.expectations.back().state = node::ExpectationState::unknown;
  CHECK(answer_from(sample, line, kFresh).code == kDiffers);
  line.output = Output::json;
  const auto document = Json::parse(answer_from(sample, line, kFresh).out);
  CHECK(document["schema_version"] == kViewSchemaVersion);
  CHECK(document["as_declared"] == false);
  CHECK(document["hostname"] == "gpu-node-07");
  CHECK(document["node"] == Json::parse(snapshot::render_json(sample))["node"]);
  CHECK(document["model_files"].size() == 2);
  sample.node.expectations.clear();
  CHECK(answer_from(sample, line, kFresh).code == kDone);
  sample.node = {};
  const auto unread = answer_from(sample, line, kFresh);
  CHECK(unread.code == kFailure);
  CHECK(unread.err == "allocctl: allocd has not read the machine yet\n");
  CHECK(Json::parse(unread.out)["as_declared"].is_null());
}

TEST_CASE("drift speaks through its exit code: somebody should act, or the sample is too old to tell") {
  auto sample = test::sample_drift_snapshot();
  CommandLine line;
  line.command = Command::drift;
  const auto code = [&](std::vector<std::string> units, const RenderOptions& options = kFresh) {
    line.units = std::move(units);
    return answer_from(sample, line, options).code;
  };
  CHECK(code({}) == kDiffers);
  CHECK(code({"chat"}) == kDiffers);
  CHECK(code({"batch"}) == kDiffers);
  for (const auto* const unit : {"embed", "rerank", "nightly", "late", "down"}) CHECK(code({unit}) == kDone);
  CHECK(code({"caht"}) == kFailure);
  CHECK(code({""}) == kFailure);
  const RenderOptions late{.now = test::kSampleTime + 300};
  CHECK(code({}, late) == kUnreachable);
  CHECK(code({"rerank"}, late) == kUnreachable);
  // What a unit was in before its memory became unreadable is not what it is in.
  for (auto& unit : sample.units) unit.drift.known = false;
  CHECK(code({}) == kDone);
  sample.units.clear();
  CHECK(code({}) == kDone);
}

TEST_CASE("drift names the nearest unit") {
  CommandLine line;
  line.command = Command::drift;
  line.units = {"nigthly"};
  const auto one = answer_from(test::sample_drift_snapshot(), line, kFresh);
  CHECK(one.out.empty());
  CHECK(one.err == "allocctl: no unit 'nigthly' in the snapshot; did you mean 'nightly'?\n");
}

TEST_CASE("the JSON of drift has each unit's report as the snapshot has it") {
  const auto sample = test::sample_drift_snapshot();
  const auto whole = Json::parse(snapshot::render_json(sample))["units"];
  CommandLine line;
  line.command = Command::drift;
  line.output = Output::json;
  const auto all = Json::parse(answer_from(sample, line, kFresh).out);
  CHECK(all["schema_version"] == kViewSchemaVersion);
  CHECK(all["drifting"] == true);
  REQUIRE(all["units"].size() == whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    CHECK(all["units"][i]["name"] == whole[i]["name"]);
    CHECK(all["units"][i]["drift"] == whole[i]["drift"]);
  }
  CHECK(all["units"][1]["active"] == Json({{"glibc", 1}}));
  CHECK(all["units"][1]["glibc_heaps"] == 107);
  CHECK(all["units"][2]["glibc_heaps"].is_null());  // it is down
  line.units = {"rerank"};
  const auto one = Json::parse(answer_from(sample, line, kFresh).out);
  CHECK(one["drifting"] == false);
  CHECK(one["units"] == Json::array({all["units"][6]}));
}

TEST_CASE("an unknown unit is a failure on standard error, made harmless") {
  const auto one = answer(Command::show, "no\x1B[2Jsuch");
  CHECK(one.code == kFailure);
  CHECK(one.out.empty());
  CHECK(one.err.starts_with("allocctl: no unit 'no\\x1b[2Jsuch' in the snapshot"));
}

TEST_CASE("old data is not passed off as news") {
  const RenderOptions late{.now = test::kSampleTime + 300};
  for (const auto command :
       {Command::list, Command::show, Command::explain, Command::node, Command::drift, Command::metrics}) {
    CHECK(
        answer(command, "vllm", Output::table, late).err ==
        "allocctl: warning: the last sample is 5m 0s old, at an interval of 10s: allocd is stuck, overloaded "
        "or stopped\n");
  }
  CHECK(answer(Command::status, "", Output::table, late).out.starts_with("STALE: "));
}

TEST_CASE("a fault of the socket becomes an exit code and a next step") {
  const auto code = [](int error) {
    return answer_without_snapshot({"connect to", "/s", "why", error}).code;
  };
  CHECK(code(ENOENT) == kUnreachable);
  CHECK(code(ECONNREFUSED) == kUnreachable);
  CHECK(code(ETIMEDOUT) == kUnreachable);
  CHECK(code(EACCES) == kNoPrivilege);
  CHECK(code(EFBIG) == kFailure);
  CHECK(code(0) == kFailure);
  CHECK(answer_without_snapshot({"connect to", "/s\n", "why", ENOENT}).err ==
        "allocctl: cannot connect to /s\\x0a: why\nallocctl: try: systemctl status allocd\n");
}

TEST_CASE("the JSON of each view carries its version and agrees with the snapshot") {
  const auto sample = test::sample_snapshot();
  const auto status = Json::parse(answer(Command::status, "", Output::json).out);
  CHECK(status["schema_version"] == kViewSchemaVersion);
  CHECK(status["states"]["inactive"] == 2);
  CHECK(status["processes_unreadable"] == 1);
  CHECK(status["age"] == 4.0);
  CHECK(status["stale"] == false);
  CHECK(status["units"].size() == sample.units.size());
  CHECK(status["units"][5]["active"] == Json({{"glibc", 1}, {"jemalloc", 3}, {"tcmalloc", 1}}));
  CHECK(status["units"][3]["started_at"].is_null());
  CHECK(status["units"][5]["drift"] == "watch");
  CHECK(status["units"][3]["drift"].is_null());

  const auto list = Json::parse(answer(Command::list, "", Output::json).out);
  CHECK(list["schema_version"] == kViewSchemaVersion);
  CHECK(list["units"][5] == Json({{"name", "vllm.service"},
                                  {"service", "vllm"},
                                  {"engine", "vllm"},
                                  {"state", "violation"},
                                  {"reason", "mapped_not_active"}}));

  const auto show = Json::parse(answer(Command::show, "vllm", Output::json).out);
  CHECK(show["unit"] == Json::parse(snapshot::render_json(sample))["units"][5]);

  const auto explain = Json::parse(answer(Command::explain, "vllm", Output::json).out);
  CHECK(explain["first_broken_link"] == "resolved");
  CHECK(explain["chain"].size() == 5);
  CHECK(explain["differing_processes"].size() == 2);
  CHECK(explain["differing_processes"][1]["reason"] == "mapped_not_active");
  const auto settled = Json::parse(answer(Command::explain, "tgi", Output::json).out);
  CHECK(settled["first_broken_link"].is_null());
}

namespace {

// The sample, with a policy for all but the container.
snapshot::Snapshot with_policies() {
  auto sample = test::sample_snapshot();
  for (auto& unit : sample.units) {
    if (unit.source == settings::SelectorKind::unit) unit.wanted = settings::Wanted::jemalloc;
  }
  sample.units.front().wanted = settings::Wanted::any;
  return sample;
}

Answer verify(const snapshot::Snapshot& sample, std::vector<std::string> units = {},
              Output output = Output::table, const RenderOptions& options = kFresh) {
  CommandLine line;
  line.command = Command::verify;
  line.units = std::move(units);
  line.output = output;
  return answer_from(sample, line, options);
}

}  // namespace

TEST_CASE("verify shows every unit with a policy in one line") {
  const auto all = verify(with_policies());
  CHECK(all.code == kDiffers);
  test::check_golden("unit/ctl/golden/verify.txt", all.out);
}

TEST_CASE("verify answers for the units that are named") {
  CHECK(verify(with_policies(), {"sglang", "tgi.service"}).code == kDone);
  CHECK(verify(with_policies(), {"sglang", "vllm"}).code == kDiffers);
  CHECK(verify(with_policies(), {"sglang", "vlmm"}).code == kFailure);
  CHECK(verify(with_policies(), {"libpod-3f1c9a"}).code == kDiffers);
}

TEST_CASE("verify proves nothing from old data, and nothing is not compliant by having no policy") {
  const auto late = verify(with_policies(), {"sglang"}, Output::table, {.now = test::kSampleTime + 300});
  CHECK(late.code == kUnreachable);
  CHECK(late.err.starts_with("allocctl: warning: the last sample is 5m 0s old"));
  auto free = test::sample_snapshot();
  for (auto& unit : free.units) unit.wanted = settings::Wanted::any;
  CHECK(verify(free).code == kDone);
  CHECK(verify(free).out == "No unit has a policy: there is nothing to verify.\n");
}

TEST_CASE("verify as JSON") {
  const auto document = Json::parse(verify(with_policies(), {"sglang", "vllm"}, Output::json).out);
  CHECK(document["schema_version"] == kViewSchemaVersion);
  CHECK(document["compliant"] == false);
  CHECK(document["units"][0]["broken_link"].is_null());
  CHECK(document["units"][1]["broken_link"] == "resolved");
  CHECK(document["units"][1]["reason"] == "mapped_not_active");
  CHECK(document["units"][1]["evidence"].get<std::string>().find("pid 4105") != std::string::npos);
}

TEST_CASE("explain shows who sets the preload, where, and who wins") {
  using unitfile::Origin;
  auto sample = test::sample_snapshot();
  auto& environment = sample.units.back().environment;
  environment = {
      .known = true,
      .variables = {{"LD_PRELOAD",
                     "/opt/own.so",
                     true,
                     {{Origin::manager, "", 0, "/lib/old.so", false, false},
                      {Origin::environment, "/etc/systemd/system/vllm.service", 4, "/lib/a.so", false, true},
                      {Origin::environment, "/etc/systemd/system/vllm.service.d/zz-allocd.conf", 6,
                       "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", false, false},
                      {Origin::environment_file, "/etc/default/vllm", 3, "/opt/own.so", true, false}}},
                    {"MALLOC_CONF",
                     "",
                     false,
                     {{Origin::environment, "/etc/systemd/system/vllm.service", 5, "narenas:2", false, false},
                      {Origin::unset_environment, "/etc/systemd/system/vllm.service", 9, "", true, false}}}},
      .doubts = {"/etc/systemd/system/vllm.service:7: what /etc/vllm/token.env sets is not known: Permission "
                 "denied"}};
  CommandLine line;
  line.command = Command::explain;
  line.unit = "vllm";
  test::check_golden("unit/ctl/golden/explain_environment.txt", answer_from(sample, line, kFresh).out);
  line.output = Output::json;
  const auto document = Json::parse(answer_from(sample, line, kFresh).out);
  CHECK(document["environment"]["variables"][0]["contributions"][3]["wins"] == true);
  CHECK(document["environment"]["variables"][0]["contributions"][3]["origin"] == "environment_file");
  CHECK(document["environment"]["variables"][1]["is_set"] == false);
  CHECK(document["environment"]["doubts"].size() == 1);
  environment.known = false;
  CHECK(Json::parse(answer_from(sample, line, kFresh).out)["environment"].is_null());
}
