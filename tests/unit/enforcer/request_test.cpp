// SPDX-License-Identifier: Apache-2.0
#include "enforcer/request.hpp"

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "support/catch.hpp"

using namespace allocd;
using namespace allocd::enforcer;

namespace {

// Requests and reports of any strings: bytes of every value when `is_text` is false.
class Maker {
 public:
  Maker(unsigned seed, bool is_text) : random_(seed), is_text_(is_text) {}

  std::string string() {
    std::string bytes(random_() % 12, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random_() % 256);
    return is_text_ ? base::to_valid_utf8(bytes) : bytes;
  }
  bool flag() { return random_() % 2 == 1; }
  std::vector<std::string> strings() {
    std::vector<std::string> all(random_() % 4);
    for (auto& one : all) one = string();
    return all;
  }
  template <typename Names>
  auto word(const Names& names) {
    const auto all = names.values();
    return all[random_() % all.size()];
  }

  Request request() { return {string(), word(kVerbNames), strings(), flag(), flag()}; }

  Report report() {
    Report report;
    report.request = request();
    report.items.resize(random_() % 3);
    for (auto& one : report.items) one = {item(), string()};
    report.reloaded = flag();
    report.reload_error = string();
    report.restarted = strings();
    report.pending = strings();
    report.error = string();
    return report;
  }

 private:
  policy::PlanItem item() {
    policy::PlanItem item;
    item.target = string();
    item.units = strings();
    item.service = string();
    item.action = word(policy::kActionNames);
    item.reason = word(policy::kPlanReasonNames);
    item.sentence = string();
    item.notes = strings();
    item.files.resize(random_() % 3);
    for (auto& file : item.files) {
      file.path = string();
      if (flag()) file.before = string();
      if (flag()) file.after = string();
    }
    item.environment.resize(random_() % 3);
    for (auto& one : item.environment) one = {string(), string()};
    item.owned_paths = strings();
    return item;
  }

  std::mt19937 random_;
  bool is_text_;
};

constexpr unsigned kSeed = 20250601;
constexpr int kRounds = 2000;

}  // namespace

TEST_CASE("request: any strings come back as they were", "[property]") {
  Maker make(kSeed, true);
  for (int round = 0; round < kRounds; ++round) {
    INFO("round " << round);
    const auto request = make.request();
    const auto back = parse_request(render_request(request));
    REQUIRE(back);
    REQUIRE(*back == request);
    const auto report = make.report();
    const auto again = parse_report(render_report(report));
    REQUIRE(again);
    REQUIRE(*again == report);
  }
}

TEST_CASE("request: any bytes can be told, and are told the same way twice", "[property]") {
  Maker make(kSeed + 1, false);
  for (int round = 0; round < kRounds; ++round) {
    INFO("round " << round);
    const auto report = parse_report(render_report(make.report()));
    REQUIRE(report);
    REQUIRE(*parse_report(render_report(*report)) == *report);
    REQUIRE(parse_request(render_request(make.request())));
  }
}

TEST_CASE("request: no prefix of one is taken for one") {
  Maker make(kSeed + 2, true);
  const auto request = render_request(make.request());
  for (std::size_t size = 0; size + 1 < request.size(); ++size)
    REQUIRE_FALSE(parse_request(request.substr(0, size)));
  const auto report = render_report(make.report());
  for (std::size_t size = 0; size + 1 < report.size(); ++size)
    REQUIRE_FALSE(parse_report(report.substr(0, size)));
}

TEST_CASE("request: hostile documents are faults") {
  const auto* const text =
      GENERATE("", "null", "[]", "{}", "{\"id\":1,\"verb\":\"apply\",\"units\":[],\"retry\":0,\"force\":0}",
               "{\"id\":\"a\",\"verb\":\"destroy\",\"units\":[],\"retry\":false,\"force\":false}",
               "{\"id\":\"a\",\"verb\":\"apply\",\"units\":{\"a\":1},\"retry\":false,\"force\":false}",
               "{\"id\":\"a\",\"verb\":\"apply\",\"units\":[\"x\"],\"retry\":false}");
  CHECK_FALSE(parse_request(text));
  CHECK_FALSE(parse_report(text));
}

TEST_CASE("request: nesting without end is a fault, not an end of the stack") {
  const std::string deep(1'000'000, '[');
  CHECK_FALSE(parse_request(deep));
  CHECK_FALSE(parse_report("{\"items\":" + deep + std::string(1'000'000, ']') + "}"));
}

TEST_CASE("request: what can be a request's name") {
  CHECK(is_request_id("0"));
  CHECK(is_request_id(std::string(64, 'f')));
  for (const auto& id : {std::string(), std::string(65, 'f'), std::string("../0"), std::string("a/b"),
                         std::string("A"), std::string("a\0", 2), std::string("g"), std::string(".")})
    CHECK_FALSE(is_request_id(id));
}
