// SPDX-License-Identifier: Apache-2.0
// The table of metrics against what is served, against the committed page, and against the naming rules.
#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <sstream>

#include "metrics/metrics.hpp"
#include "page.hpp"
#include "rich_snapshot.hpp"
#include "support/catch.hpp"

using namespace allocd;
using metrics::MetricDoc;
using test::Page;

namespace {

std::string read_whole(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Page rich_page(const snapshot::Snapshot& snapshot) {
  const metrics::ExporterFacts facts{
      .version = "9", .started_at = 1, .fetch_duration = 0.5, .fetch_errors = 3};
  return Page(metrics::Scrape{.snapshot = &snapshot, .exporter = facts, .now = snapshot.taken_at});
}

// "name" and "label,label" of a series, in the order they are written. No value in the rich snapshot has a
// quote, comma or brace in it.
std::pair<std::string, std::string> name_and_labels(const std::string& series) {
  const std::size_t brace = std::min(series.find('{'), series.size());
  std::string labels;
  for (std::size_t at = brace; at + 1 < series.size();) {
    const std::size_t equals = series.find('=', at);
    labels += (labels.empty() ? "" : ",") + series.substr(at + 1, equals - at - 1);
    at = series.find('"', equals + 2) + 1;
  }
  return {series.substr(0, brace), labels};
}

// allocd_ and lower-case words between single underscores.
bool is_well_formed(std::string_view name) {
  if (!name.starts_with("allocd_") || name.ends_with('_')) return false;
  const bool characters =
      std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  return characters && name.find("__") == std::string_view::npos;
}

// A unit has figures of its control group, or the reason why not: never both.
snapshot::Snapshot everything() {
  snapshot::Snapshot snapshot = test::rich_snapshot();
  snapshot.units.push_back(test::rich_unit("batch.service"));
  snapshot.units.back().cgroup = {snapshot::CgroupMemoryState::controller_off, 5000, 0, {}};
  return snapshot;
}

std::size_t series_of_one_unit(const snapshot::Unit& unit) {
  snapshot::Snapshot snapshot = test::rich_snapshot();
  snapshot.units = {unit};
  return rich_page(snapshot).about_units();
}

}  // namespace

TEST_CASE("docs/metrics.md is what the table says") {
  INFO("write it again: allocd-exporter --print-metrics-reference > docs/metrics.md");
  CHECK(read_whole(ALLOCD_SOURCE_DIR "/docs/metrics.md") == metrics::render_reference());
}

TEST_CASE("every series is documented with its labels, and every documented metric is served") {
  const snapshot::Snapshot snapshot = everything();
  std::set<std::pair<std::string, std::string>> served;
  for (const auto& [series, value] : rich_page(snapshot).series) served.insert(name_and_labels(series));
  std::set<std::pair<std::string, std::string>> documented;
  for (const MetricDoc& doc : metrics::documented_metrics()) documented.emplace(doc.name, doc.labels);
  CHECK(served == documented);
}

TEST_CASE("HELP and TYPE of each family are those of the table") {
  const snapshot::Snapshot snapshot = everything();
  const Page page = rich_page(snapshot);
  const auto has = [&](const std::string& comment) {
    return std::ranges::count(page.comments, comment) == 1;
  };
  for (const MetricDoc& doc : metrics::documented_metrics()) {
    CAPTURE(doc.name);
    const std::string name(doc.name);
    CHECK(has("# TYPE " + name + (doc.type == metrics::Type::counter ? " counter" : " gauge")));
    const std::string help = "# HELP " + name + " " + std::string(doc.meaning) + ". Source: ";
    CHECK(
        std::ranges::any_of(page.comments, [&](const std::string& line) { return line.starts_with(help); }));
  }
  CHECK(page.comments.size() == 2 * metrics::documented_metrics().size());
}

TEST_CASE("names follow the rules for names") {
  constexpr std::array kReservedLabels{"service", "cluster", "env",      "zone",
                                       "owner",   "type",    "instance", "job"};
  std::set<std::string_view> names;
  for (const MetricDoc& doc : metrics::documented_metrics()) {
    CAPTURE(doc.name);
    CHECK(is_well_formed(doc.name));
    CHECK(doc.name.ends_with("_total") == (doc.type == metrics::Type::counter));
    for (const char* const suffix :
         {"_count", "_sum", "_bucket", "_percent", "_kb", "_mib", "_ms", "_milliseconds"}) {
      CHECK_FALSE(doc.name.ends_with(suffix));
    }
    for (const std::string_view label : base::split(doc.labels, ',')) {
      CHECK(std::ranges::find(kReservedLabels, label) == kReservedLabels.end());
    }
    CHECK_FALSE(doc.meaning.empty());
    CHECK_FALSE(doc.source.empty());
    CHECK(doc.meaning.find_first_of("\n|\\") == std::string_view::npos);  // a table cell, and HELP
    CHECK(doc.source.find_first_of("\n|\\") == std::string_view::npos);
    CHECK(names.insert(doc.name).second);
  }
}

TEST_CASE("a unit with everything in every role stays inside the budget of series, exactly") {
  snapshot::Unit unit = test::rich_unit("x.service");
  constexpr std::size_t kNodes = 2;
  const std::size_t without_costly = metrics::kSeriesPerUnit + (kNodes * metrics::kSeriesPerUnitNode) +
                                     (engine::kRoleNames.names.size() * metrics::kSeriesPerRole);
  CHECK(series_of_one_unit(unit) ==
        without_costly + metrics::kCostlySeriesPerUnit + (kNodes * metrics::kCostlySeriesPerUnitNode));
  unit.costly.clear();
  CHECK(series_of_one_unit(unit) == without_costly);
}

TEST_CASE("a usual unit of three roles on two nodes has fewer than 220 series") {
  snapshot::Unit unit = test::rich_unit("x.service");
  unit.costly.clear();
  unit.roles = {test::usual_role(engine::Role::api_server), test::usual_role(engine::Role::engine_core),
                test::usual_role(engine::Role::worker)};
  test::add_rich_drift(unit);
  const std::size_t series = series_of_one_unit(unit);
  CHECK(series ==
        metrics::kSeriesPerUnit + (2 * metrics::kSeriesPerUnitNode) + (3 * metrics::kUsualSeriesPerRole));
  CHECK(series < 220);
}
