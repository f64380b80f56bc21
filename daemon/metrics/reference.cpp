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
- The machine and model files are read on slower timers (`observe.node_interval`, `observe.page_cache_interval`).
  Figures that are older than three of these intervals are left out as well.
- What could not be read has no sample. It is never 0.
- `allocd_unit_drift_*` speak of one life of the unit, the run of its main process; docs/drift.md says how to read them.
- Where `allocd_unit_cgroup_memory_available` is 0 (the memory controller is off, or the host is on cgroup v1) the
  sums over processes, `allocd_unit_memory_*`, stand alone: a page that processes share counts once for each.
- A process is counted under its `role`, never under a pid, a title or a path. For single processes ask
  `allocctl show UNIT`.
- node_exporter and systemd_exporter call the unit `name`. To join:
  `label_replace(node_systemd_unit_state, "unit", "$1", "name", "(.*)")`.
)md";

// Every state but that there are figures, and that nobody has looked.
constexpr snapshot::CgroupMemoryState kAbsentReasons[] = {
    snapshot::CgroupMemoryState::controller_off, snapshot::CgroupMemoryState::cgroup_v1,
    snapshot::CgroupMemoryState::gone, snapshot::CgroupMemoryState::not_permitted,
    snapshot::CgroupMemoryState::failed};

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
| `kind` of `allocd_unit_page_faults` | `minor`, `major` |
| `state` of `allocd_unit_drift_state` | {} |
| `kind` of `allocd_unit_drift_kind` | {} |
| `kind` of `allocd_unit_drift_limit_bytes` | `cgroup`, `node` |
| `rule` | `slow`, `fast`, `exhaustion` |
| `kind` of memory | `anon`, `file`, `shmem`, `slab`, `pagetables`, `hugetlb` |
| `rung` | {} |
| `reason` of `allocd_unit_cgroup_memory_absent_reason` | {} |
| `reason` of `allocd_model_files_unreadable` | `file_not_permitted`, `folder_not_permitted`, `unsupported`, `failed` |
| `limit` | `high`, `max`, `swap_max` |
| `of` | `cpus`, `gpus`, `policy` |
| `what` | `cpus`, `memory_nodes` |
| `setting` of `allocd_node_thp_mode` | `enabled`, `defrag`, `shmem_enabled` |
| `event` of `allocd_unit_cgroup_memory_events_total` | {} |
| `read` | {} |
| `state` of `allocd_unit_costly_processes` | {} |
| `state` of `allocd_node_expectation_state` | {} |
| `mode` of `allocd_node_iommu_mode` | {} |

`node` is the number of a NUMA node, `page_size` a size such as `64K`, `2M`, `1G`, `key` a key under `node: expect:`.
`event`, `kind` and `setting` of the machine that are named by the kernel differ between kernels.
)md",
      list_all(engine::kRoleNames), list_all(allocator::kKindNames),
      list(kActiveStates, [](auto s) { return s; }), list_all(policy::kStateNames),
      list_all(policy::kDropInStateNames), list_all(policy::kReasonNames), list_all(settings::kModeNames),
      list_all(engine::kEngineNames), list_all(settings::kSelectorKindNames),
      list_all(settings::kWantedNames), list_all(drift::kStateNames), list_all(drift::kKindNames),
      list_all(allocator::kRungNames), list_enum(snapshot::kCgroupMemoryStateNames, kAbsentReasons),
      list_all(kernel::kMemoryEventNames), list_all(kernel::kCostlyKindNames),
      list_all(snapshot::kCostlyStateNames), list_all(node::kExpectationStateNames),
      list_all(node::kIommuModeNames));
}

std::string budget() {
  constexpr std::size_t kRoles = 3;
  constexpr std::size_t kNodes = 2;
  constexpr std::size_t kOfUnit = kSeriesPerUnit + (kNodes * kSeriesPerUnitNode);
  return fmt::format(
      R"md(## Number of series

A unit has at most {} series, {} for each NUMA node it has memory on and {} for each role seen in it: {} for a unit
of {} roles on {} nodes at the very most, and {} as a rule ({} for each role). Costly reads, where a service asks for
them, add {} and {} for each node. A test holds the code to these numbers.

{} of a unit's series and {} of a role's are of drift. The observer decides it, because Prometheus would have to read weeks
of samples for it with every evaluation, and would be wrong after a gap; the figures behind the verdict stand beside it
so that an alert can say them.

To stay inside them, five families leave out series whose value is 0, except those an alert may watch:

| Metric | Always there where the role is |
|---|---|
| `allocd_unit_processes_by_allocator` | {} |
| `allocd_unit_processes_allocator_idle` | {} |
| `allocd_unit_processes_allocator_embedded` | none |
| `allocd_unit_processes_by_evidence` | {} |
| `allocd_unit_processes_by_state` | {} |

`allocd_unit_policy_reason` has one series for each unit, with the reason of the moment: a change of reason
ends one series and begins another. It explains `allocd_unit_policy_state`, which is the one to alert on.
)md",
      kSeriesPerUnit, kSeriesPerUnitNode, kSeriesPerRole, kOfUnit + (kRoles * kSeriesPerRole), kRoles, kNodes,
      kOfUnit + (kRoles * kUsualSeriesPerRole), kUsualSeriesPerRole, kCostlySeriesPerUnit,
      kCostlySeriesPerUnitNode, kDriftSeriesPerUnit, kDriftSeriesPerRole,
      list_enum(allocator::kKindNames, kAlwaysShownAllocators),
      list_enum(allocator::kKindNames, kAlwaysShownIdleAllocators),
      list_enum(allocator::kRungNames, kAlwaysShownRungs),
      list_enum(policy::kStateNames, kAlwaysShownProcessStates));
}

std::string_view cached_text(Scope scope) {
  switch (scope) {
    case Scope::exporter:
      return "";
    case Scope::node:
    case Scope::model_files:
      return " (cached: as of the last reading)";
    case Scope::observer:
    case Scope::collector:
    case Scope::unit:
    case Scope::role:
      return " (cached: as of the last sample)";
  }
  return "";
}

std::vector<MetricDoc> list_documents() {
  std::vector<MetricDoc> documents{observer_up_doc()};
  for (const auto rows : all_rows()) {
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
  return fmt::format("{}. Source: {}{}.", doc.meaning, doc.source, cached_text(doc.scope));
}

std::string render_reference() {
  return fmt::format(
      "{}\n## Exporter\n\n{}\n## Observer\n\n{}\n## Parts of the observer's work\n\n{}\n## The "
      "machine\n\n{}\n"
      "## Model files\n\n{}\n## Units\n\n{}\n## Units by role\n\n{}\n{}\n{}",
      kOpening, table(Scope::exporter), table(Scope::observer), table(Scope::collector), table(Scope::node),
      table(Scope::model_files), table(Scope::unit), table(Scope::role), label_values(), budget());
}

}  // namespace allocd::metrics
