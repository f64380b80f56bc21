// SPDX-License-Identifier: Apache-2.0
// The table of metrics as a page for people.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "base/text.hpp"
#include "metrics/rows.hpp"

namespace allocd::metrics {
namespace {

std::string_view type_name(Type type) {
  return type == Type::counter ? "counter" : "gauge";
}

std::string quoted_labels(std::string_view labels) {
  std::string out;
  for (const std::string_view label : base::split(labels, ',')) {
    if (!label.empty()) out += fmt::format("{}`{}`", out.empty() ? "" : ", ", label);
  }
  return out;
}

std::string table(Scope scope) {
  std::string out = "| Metric | Type | Labels | Meaning | Source |\n|---|---|---|---|---|\n";
  for (const MetricDoc& doc : documented_metrics()) {
    if (doc.scope != scope) continue;
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", doc.name, type_name(doc.type),
                       quoted_labels(doc.labels), doc.meaning, doc.source);
  }
  return out;
}

template <typename Range, typename Name>
std::string list(const Range& values, Name name) {
  std::string out;
  for (const auto& value : values) out += fmt::format("{}`{}`", out.empty() ? "" : ", ", name(value));
  return out;
}

template <typename Names, typename Range>
std::string list_enum(const Names& names, const Range& values) {
  return list(values, [&](auto value) { return names.name(value); });
}

template <typename Names>
std::string list_all(const Names& names) {
  return list_enum(names, names.values());
}

constexpr std::string_view kOpening = R"md(# Metrics

<!-- Written by `allocd-exporter --print-metrics-reference` from daemon/metrics. Do not edit. -->

Every metric of allocd, as `allocd-exporter` serves them on port 10977 under `/metrics`, in the Prometheus
text format 0.0.4.

- All figures about units are of the last sample of the observer (every `allocd_sample_interval_seconds`). A
  scrape reads no process; its age is `time() - allocd_snapshot_timestamp_seconds`.
- `allocd_observer_up` is 0 when the observer cannot be reached, or when its last sample is older than three
  intervals (a minute at least). Then there are no series about units: an old figure is never shown as a new one.
- What could not be read has no sample. It is never 0.
- A process is counted under its `role`, never under a pid, a title or a path. For single processes ask
  `allocctl show UNIT`.
- node_exporter and systemd_exporter call the unit `name`. To join:
  `label_replace(node_systemd_unit_state, "unit", "$1", "name", "(.*)")`.
)md";

std::string label_values() {
  return fmt::format(
      R"md(## Values of labels

`unit` is the full name of the unit as systemd writes it, or the path of the cgroup for a `cgroup:` selector.
`policy` is a key under `services:` in the configuration. The others are closed sets:

| Label | Values |
|---|---|
| `role` | {} |
| `allocator` | {} |
| `state` of `allocd_unit_active_state` | {} |
| `state` of `allocd_unit_policy_state`, `allocd_unit_processes_by_state` | {} |
| `state` of `allocd_unit_drop_in_state` | {} |
| `reason` | {} |
| `mode` | {} |
| `engine` | {} |
| `source` | {} |
| `wanted` | {} |
| `kind` | `minor`, `major` |
)md",
      list_all(engine::kRoleNames), list_all(allocator::kKindNames),
      list(kActiveStates, [](auto s) { return s; }), list_all(policy::kStateNames),
      list_all(policy::kDropInStateNames), list_all(policy::kReasonNames), list_all(settings::kModeNames),
      list_all(engine::kEngineNames), list_all(settings::kSelectorKindNames),
      list_all(settings::kWantedNames));
}

std::string budget() {
  constexpr std::size_t kRoles = 3;
  return fmt::format(
      R"md(## Number of series

A unit has at most {} series and {} for each role seen in it: {} for a unit of {} roles at the very most, and
{} as a rule ({} for each role). A test holds the code to these numbers.

To stay inside them, three families leave out series whose value is 0, except those an alert may watch:

| Metric | Always there where the role is |
|---|---|
| `allocd_unit_processes_by_allocator` | {} |
| `allocd_unit_processes_allocator_idle` | {} |
| `allocd_unit_processes_by_state` | {} |

`allocd_unit_policy_reason` has one series for each unit, with the reason of the moment: a change of reason
ends one series and begins another. It explains `allocd_unit_policy_state`, which is the one to alert on.
)md",
      kSeriesPerUnit, kSeriesPerRole, kSeriesPerUnit + (kRoles * kSeriesPerRole), kRoles,
      kSeriesPerUnit + (kRoles * kUsualSeriesPerRole), kUsualSeriesPerRole,
      list_enum(allocator::kKindNames, kAlwaysShownAllocators),
      list_enum(allocator::kKindNames, kAlwaysShownIdleAllocators),
      list_enum(policy::kStateNames, kAlwaysShownProcessStates));
}

std::vector<MetricDoc> list_documents() {
  std::vector<MetricDoc> documents{observer_up_doc()};
  for (const auto rows : {exporter_rows(), observer_rows(), unit_rows(), role_rows()}) {
    std::ranges::transform(rows, std::back_inserter(documents), &Row::doc);
  }
  return documents;
}

}  // namespace

std::span<const MetricDoc> documented_metrics() {
  static const std::vector<MetricDoc> kDocuments = list_documents();
  return kDocuments;
}

std::string render_help(const MetricDoc& doc) {
  const std::string_view cached = doc.scope == Scope::exporter ? "" : " (cached: as of the last sample)";
  return fmt::format("{}. Source: {}{}.", doc.meaning, doc.source, cached);
}

std::string render_reference() {
  return fmt::format(
      "{}\n## Exporter\n\n{}\n## Observer\n\n{}\n## Parts of the observer's work\n\n{}\n## Units\n\n{}\n"
      "## Units by role\n\n{}\n{}\n{}",
      kOpening, table(Scope::exporter), table(Scope::observer), table(Scope::collector), table(Scope::unit),
      table(Scope::role), label_values(), budget());
}

}  // namespace allocd::metrics
