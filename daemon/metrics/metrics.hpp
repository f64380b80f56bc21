// SPDX-License-Identifier: Apache-2.0
// The snapshot as Prometheus metrics, all of them from one table (rows.hpp), and that table as a document.
//
// Families are built fresh for each scrape, so a unit, role or state that vanished vanishes here too. What
// could not be read has no sample: it is never 0. Label values are closed sets, unit names and the keys of
// the configuration: no pid, title or path of a process. Pure; safe from any thread; no clock, no I/O.
#pragma once

#include <prometheus/metric_family.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "snapshot/model.hpp"

namespace allocd::metrics {

// What the program that answers the scrape knows of itself.
struct ExporterFacts {
  std::string version;
  double started_at = 0;
  double fetch_duration = 0;              // of the snapshot this page is made from
  std::uint64_t fetch_errors = 0;         // since start
  std::uint64_t connections_dropped = 0;  // since start: silent, slow or one too many
};

struct Scrape {
  const snapshot::Snapshot* snapshot = nullptr;  // nullptr: the observer could not be reached
  std::optional<ExporterFacts> exporter;         // empty: no exporter is involved (allocctl metrics)
  double now = 0;                                // seconds since the epoch
};

// A snapshot older than this speaks of the past: allocd_observer_up is 0 and nothing is said about units.
[[nodiscard]] double stale_after(const snapshot::Snapshot& snapshot);

[[nodiscard]] std::vector<prometheus::MetricFamily> collect(const Scrape& scrape);
[[nodiscard]] std::vector<prometheus::MetricFamily> collect(const snapshot::Snapshot& snapshot, double now);

// Prometheus text format 0.0.4. Any bytes in help and labels come out as valid, escaped UTF-8.
[[nodiscard]] std::string render_text(const std::vector<prometheus::MetricFamily>& families);
// render_text(collect(scrape)), holding one family at a time.
[[nodiscard]] std::string render_page(const Scrape& scrape);

inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

enum class Type { gauge, counter };
enum class Scope { exporter, observer, collector, node, model_files, unit, role };

struct MetricDoc {
  std::string_view name;
  Type type = Type::gauge;
  Scope scope = Scope::observer;
  std::string_view labels;   // comma-separated, in the order they are written: "unit,role"
  std::string_view meaning;  // a sentence without its full stop
  std::string_view source;   // where the figure comes from
};
[[nodiscard]] std::span<const MetricDoc> documented_metrics();

// docs/metrics.md, in full.
[[nodiscard]] std::string render_reference();

// The budget: most series one unit can have is kSeriesPerUnit + (NUMA nodes) * kSeriesPerUnitNode + (roles
// seen) * kSeriesPerRole, and where costly reads are asked for kCostlySeriesPerUnit + (NUMA nodes) *
// kCostlySeriesPerUnitNode besides. The usual figure is for states and allocators of which a few at a time
// are seen. Drift takes kDriftSeriesPerUnit and kDriftSeriesPerRole of them: Prometheus would have to read
// weeks of samples for what the observer knows, and would know it wrong after a gap.
inline constexpr std::size_t kDriftSeriesPerUnit = 26;
inline constexpr std::size_t kDriftSeriesPerRole = 2;
inline constexpr std::size_t kSeriesPerUnit = 73 + kDriftSeriesPerUnit;
inline constexpr std::size_t kSeriesPerUnitNode = 4;
inline constexpr std::size_t kSeriesPerRole = 54 + kDriftSeriesPerRole;
inline constexpr std::size_t kUsualSeriesPerRole = 34 + kDriftSeriesPerRole;
inline constexpr std::size_t kCostlySeriesPerUnit = 24;
inline constexpr std::size_t kCostlySeriesPerUnitNode = 3;

}  // namespace allocd::metrics
