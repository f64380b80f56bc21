// SPDX-License-Identifier: Apache-2.0
// Drift on the page: what is not known yet has no sample, and a unit without processes has no verdict.
#include "metrics/metrics.hpp"
#include "page.hpp"
#include "support/catch.hpp"
#include "support/sample_drift.hpp"

using namespace allocd;
using test::Page;

namespace {

Page page_of(const drift::Report& report) {
  auto snapshot = test::sample_drift_snapshot();
  snapshot.units = {test::sample_drift_unit("x.service", report, allocator::Kind::glibc)};
  return Page(metrics::Scrape{.snapshot = &snapshot, .exporter = std::nullopt, .now = snapshot.taken_at});
}

std::string of_unit(const std::string& name, const std::string& labels = "") {
  return "allocd_unit_drift_" + name + "{unit=\"x.service\"" + (labels.empty() ? "" : "," + labels) + "}";
}

}  // namespace

TEST_CASE("the verdict and what it rests on arrive under the names of the contract", "[drift]") {
  const Page page = page_of(test::sample_drifting());
  CHECK(page.value(of_unit("state", "state=\"drift\"")) == "1");
  CHECK(page.value(of_unit("state", "state=\"warming\"")) == "0");
  CHECK(page.count("allocd_unit_drift_state{") == drift::kStateNames.names.size());
  CHECK(page.value(of_unit("rule_active", "rule=\"slow\"")) == "1");
  CHECK(page.value(of_unit("rule_active", "rule=\"exhaustion\"")) == "0");
  CHECK(page.value(of_unit("kind", "kind=\"linear\"")) == "1");
  CHECK(page.value(of_unit("kind", "kind=\"unknown\"")) == "0");
  CHECK(page.value(of_unit("floor_bytes")) == "12992276070");
  CHECK(page.value(of_unit("limit_bytes", "kind=\"cgroup\"")) == "17179869184");
  CHECK(page.count("allocd_unit_drift_limit_bytes{") == 1);
  CHECK(page.value(of_unit("needed_seconds")) == "280800");
  CHECK(page.value(of_unit("window_seconds")) == "950400");
  CHECK(page.value(of_unit("rising_ratio")) == "1");
  CHECK(page.value(of_unit("at_peak_ratio")) == "1");
  CHECK(page.value(of_unit("lives")) == "2");
  CHECK(page.value(of_unit("lives_growth_bytes_per_second")) == "5400");
  CHECK(page.value(of_unit("role_floor_bytes", "role=\"worker\"")) == "4080218931");
  CHECK(page.count("allocd_unit_drift_role_slope_bytes_per_second{") == 3);
}

TEST_CASE("what is not known yet has no sample, and 0 is one", "[drift]") {
  const Page young = page_of(test::sample_young());
  CHECK(young.value(of_unit("state", "state=\"warming\"")) == "1");
  CHECK(young.count("allocd_unit_drift_warm_floor_bytes{") == 0);
  CHECK(young.count("allocd_unit_drift_slope_bytes_per_second{") == 0);
  CHECK(young.count("allocd_unit_drift_rising_ratio{") == 0);
  CHECK(young.count("allocd_unit_drift_time_to_limit_seconds{") == 0);
  CHECK(young.count("allocd_unit_drift_role_") == 0);
  const Page level = page_of(test::sample_half_judged());
  CHECK(level.value(of_unit("slope_bytes_per_second")) == "0");
  CHECK(level.count("allocd_unit_drift_time_to_limit_seconds{") == 0);
  CHECK(level.count("allocd_unit_drift_limit_bytes{") == 0);
  CHECK(level.value(of_unit("lives")) == "0");
  CHECK(level.count("allocd_unit_drift_lives_growth_bytes_per_second{") == 0);
}

TEST_CASE("each figure that is absent is missing by itself", "[drift]") {
  drift::Report report;
  report.known = true;
  const Page page = page_of(report);
  CHECK(page.count("allocd_unit_drift_state{") == 5);
  CHECK(page.count("allocd_unit_drift_rule_active{") == 3);
  CHECK(page.count("allocd_unit_drift_kind{") == 3);
  CHECK(page.count("allocd_unit_drift_life_start_timestamp_seconds{") == 0);  // that is not 1970
  CHECK(page.count("allocd_unit_drift_") == 5 + 3 + 3 + 3);                   // window, needed, lives
}

TEST_CASE("a unit without processes has no verdict, and its lives stay", "[drift]") {
  const Page page = page_of(test::sample_ended());
  CHECK(page.value(of_unit("lives")) == "2");
  CHECK(page.value(of_unit("lives_growth_bytes_per_second")) == "-10");
  CHECK(page.count("allocd_unit_drift_") == 2);
  auto report = test::sample_drifting();
  report.known = false;  // its memory could not be read: the figures of before are not those of now
  report.lives.clear();
  report.lives_growth_per_second.reset();
  CHECK(page_of(report).count("allocd_unit_drift_") == 0);
}

TEST_CASE("a role named twice does not break the page", "[drift]") {
  auto report = test::sample_drifting();
  report.roles.push_back(report.roles.front());
  CHECK(page_of(report).duplicates.empty());
}
