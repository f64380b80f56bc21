// SPDX-License-Identifier: Apache-2.0
// The table of metrics: one row per family says its documentation and how its samples are found.
//
// A row's collector is a captureless function of one part of the snapshot; it adds no sample, one, or several
// with the labels that tell them apart. Private to this folder.
#pragma once

#include <concepts>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "metrics/metrics.hpp"

namespace allocd::metrics {

using Label = std::pair<std::string_view, std::string_view>;

// Adds samples of one family that share their first labels. A temporary: it lives no longer than the labels
// in the expression that makes it.
class Sink {
 public:
  Sink(prometheus::MetricFamily& family, std::initializer_list<Label> common)
      : family_(family), common_(common) {}

  void add(double value, std::initializer_list<Label> more = {}) const;
  void add(std::optional<double> value) const {
    if (value) add(*value);
  }
  template <std::integral Number>
  void add(Number value, std::initializer_list<Label> more = {}) const {
    add(static_cast<double>(value), more);
  }

 private:
  prometheus::MetricFamily& family_;
  std::initializer_list<Label> common_;
};

template <typename Part>
using Collect = void (*)(const Part&, const Sink&);
using AnyCollect =
    std::variant<Collect<ExporterFacts>, Collect<snapshot::Snapshot>, Collect<snapshot::Collector>,
                 Collect<snapshot::Unit>, Collect<snapshot::RoleSum>>;

struct Row {
  MetricDoc doc;
  AnyCollect collect;
};

[[nodiscard]] std::span<const Row> exporter_rows();
[[nodiscard]] std::span<const Row> observer_rows();
[[nodiscard]] std::span<const Row> unit_rows();
[[nodiscard]] std::span<const Row> role_rows();

// The one family that does not come from a part: it says whether there is a fresh snapshot at all.
inline constexpr std::string_view kObserverUp = "allocd_observer_up";
[[nodiscard]] const MetricDoc& observer_up_doc();

// HELP of a metric: meaning and source in one line.
[[nodiscard]] std::string render_help(const MetricDoc& doc);

// One family of gauges or counters, in the text format.
void append_text(std::string& out, const prometheus::MetricFamily& family);

// Values of the `state` label of allocd_unit_active_state.
inline constexpr std::string_view kActiveStates[] = {"active",      "reloading",  "inactive",
                                                     "failed",      "activating", "deactivating",
                                                     "maintenance", "masked",     "absent"};

// Allocators and states that have a series at 0 wherever a role is seen; the others have one when not 0.
inline constexpr allocator::Kind kAlwaysShownAllocators[] = {
    allocator::Kind::glibc, allocator::Kind::jemalloc, allocator::Kind::tcmalloc, allocator::Kind::mimalloc,
    allocator::Kind::unknown};
inline constexpr allocator::Kind kAlwaysShownIdleAllocators[] = {
    allocator::Kind::jemalloc, allocator::Kind::tcmalloc, allocator::Kind::mimalloc};
inline constexpr policy::State kAlwaysShownProcessStates[] = {
    policy::State::compliant, policy::State::pending_restart, policy::State::violation,
    policy::State::unknown};

}  // namespace allocd::metrics
