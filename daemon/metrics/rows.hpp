// SPDX-License-Identifier: Apache-2.0
// The table of metrics: one row per family says its documentation and how its samples are found.
//
// A row's collector is a captureless function of one part of the snapshot; it adds no sample, one, or several
// with the labels that tell them apart. Private to this folder.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
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

// Where the samples of one family go: into prometheus-cpp's model, or straight onto the page, which is what a
// scrape does: thousands of samples a scrape, each a handful of allocations in the model.
class Samples {
 public:
  virtual ~Samples() = default;
  virtual void add(std::initializer_list<Label> common, std::initializer_list<Label> more, double value) = 0;
};

// Adds samples of one family that share their first labels. A temporary: it lives no longer than the labels
// in the expression that makes it.
class Sink {
 public:
  Sink(Samples& samples, std::initializer_list<Label> common) : samples_(samples), common_(common) {}

  void add(double value, std::initializer_list<Label> more = {}) const { samples_.add(common_, more, value); }
  template <std::integral Number>
  void add(Number value, std::initializer_list<Label> more = {}) const {
    add(static_cast<double>(value), more);
  }
  template <typename Number>
  void add(const std::optional<Number>& value, std::initializer_list<Label> more = {}) const {
    if (value) add(*value, more);
  }

 private:
  Samples& samples_;
  std::initializer_list<Label> common_;
};

template <typename Part>
using Collect = void (*)(const Part&, const Sink&);
using AnyCollect =
    std::variant<Collect<ExporterFacts>, Collect<snapshot::Snapshot>, Collect<snapshot::Collector>,
                 Collect<snapshot::Node>, Collect<snapshot::ModelFiles>, Collect<snapshot::Unit>,
                 Collect<snapshot::RoleSum>>;

struct Row {
  MetricDoc doc;
  AnyCollect collect;
};

[[nodiscard]] std::span<const Row> exporter_rows();
[[nodiscard]] std::span<const Row> observer_rows();
[[nodiscard]] std::span<const Row> node_memory_rows();
[[nodiscard]] std::span<const Row> node_thp_rows();
[[nodiscard]] std::span<const Row> node_numa_rows();
[[nodiscard]] std::span<const Row> model_files_rows();
[[nodiscard]] std::span<const Row> unit_rows();
[[nodiscard]] std::span<const Row> unit_memory_rows();
[[nodiscard]] std::span<const Row> role_rows();
[[nodiscard]] std::span<const Row> drift_rows();

// All of them, in the order of the page.
[[nodiscard]] std::array<std::span<const Row>, 10> all_rows();

// The one family that does not come from a part: it says whether there is a fresh snapshot at all.
inline constexpr std::string_view kObserverUp = "allocd_observer_up";
[[nodiscard]] const MetricDoc& observer_up_doc();

// HELP of a metric: meaning and source in one line.
[[nodiscard]] std::string render_help(const MetricDoc& doc);

// One family in the text format: its comments, and a sample.
void append_comments(std::string& out, std::string_view name, std::string_view help, bool is_counter);
void append_sample(std::string& out, std::string_view name, std::initializer_list<Label> common,
                   std::initializer_list<Label> more, double value);

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
inline constexpr allocator::Rung kAlwaysShownRungs[] = {allocator::Rung::none, allocator::Rung::resolved};
inline constexpr policy::State kAlwaysShownProcessStates[] = {
    policy::State::compliant, policy::State::pending_restart, policy::State::violation,
    policy::State::unknown};

}  // namespace allocd::metrics
