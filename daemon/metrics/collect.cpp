// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "metrics/rows.hpp"

namespace allocd::metrics {
namespace {

using prometheus::MetricFamily;

// A part of the snapshot under the name its series carry. Two of one name would break the whole page.
template <typename Part>
struct Named {
  std::string name;
  const Part* part;
};

template <typename Part>
std::vector<Named<Part>> name_parts(const std::vector<Part>& parts, std::string Part::* name_of) {
  std::vector<Named<Part>> named;
  std::set<std::string> taken;
  for (const Part& part : parts) {
    std::string name = base::to_valid_utf8(part.*name_of);
    if (taken.insert(name).second) named.push_back({std::move(name), &part});
  }
  return named;
}

bool is_fresh(const Scrape& scrape) {
  return scrape.snapshot != nullptr &&
         scrape.now - scrape.snapshot->taken_at <= stale_after(*scrape.snapshot);
}

// A reading of something slow speaks of the past when the next two should have come and did not.
bool is_recent(double read_at, double interval, double now) {
  constexpr double kAtLeast = 60;
  return read_at > 0 && now - read_at <= std::max(kAtLeast, 3 * interval);
}

// A family of prometheus-cpp's model.
class FamilySamples final : public Samples {
 public:
  explicit FamilySamples(const MetricDoc& doc) {
    family_.name = doc.name;
    family_.help = render_help(doc);
    family_.type =
        doc.type == Type::counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
  }

  void add(std::initializer_list<Label> common, std::initializer_list<Label> more, double value) override {
    prometheus::ClientMetric metric;
    metric.label.reserve(common.size() + more.size());
    for (const auto& [name, text] : common) metric.label.push_back({std::string(name), std::string(text)});
    for (const auto& [name, text] : more) metric.label.push_back({std::string(name), std::string(text)});
    if (family_.type == prometheus::MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family_.metric.push_back(std::move(metric));
  }

  // A family without a sample is left out.
  void finish(std::vector<MetricFamily>& families) {
    if (!family_.metric.empty()) families.push_back(std::move(family_));
  }

 private:
  MetricFamily family_;
};

// Lines of the page, the comments with the first sample.
class PageSamples final : public Samples {
 public:
  PageSamples(std::string& page, const MetricDoc& doc) : page_(page), doc_(doc) {}

  void add(std::initializer_list<Label> common, std::initializer_list<Label> more, double value) override {
    if (!is_begun_) append_comments(page_, doc_.name, render_help(doc_), doc_.type == Type::counter);
    is_begun_ = true;
    append_sample(page_, doc_.name, common, more, value);
  }

 private:
  std::string& page_;
  const MetricDoc& doc_;
  bool is_begun_ = false;
};

// What the rows are asked about: the scrape, and those parts of its snapshot that may be shown.
class Subject {
 public:
  explicit Subject(const Scrape& scrape) : scrape_(scrape), fresh_(is_fresh(scrape)) {
    if (scrape.snapshot == nullptr) return;
    collectors_ = name_parts(scrape.snapshot->collectors, &snapshot::Collector::name);
    if (!fresh_) return;
    units_ = name_parts(scrape.snapshot->units, &snapshot::Unit::name);
    const auto& node = scrape.snapshot->node;
    if (node.known && is_recent(node.read_at, node.interval, scrape.now)) node_ = &node;
    model_files_ = name_parts(scrape.snapshot->model_files, &snapshot::ModelFiles::service);
    std::erase_if(model_files_, [&](const auto& one) {
      return !is_recent(one.part->read_at, one.part->interval, scrape.now);
    });
  }

  void observer_up(Samples& samples) const { Sink(samples, {}).add(fresh_); }

  void fill(Samples& samples, const Row& row) const {
    std::visit([&](auto collect) { fill(samples, collect); }, row.collect);
  }

 private:
  void fill(Samples& samples, Collect<ExporterFacts> collect) const {
    if (scrape_.exporter) collect(*scrape_.exporter, Sink(samples, {}));
  }
  void fill(Samples& samples, Collect<snapshot::Snapshot> collect) const {
    if (scrape_.snapshot != nullptr) collect(*scrape_.snapshot, Sink(samples, {}));
  }
  void fill(Samples& samples, Collect<snapshot::Collector> collect) const {
    for (const auto& [name, collector] : collectors_)
      collect(*collector, Sink(samples, {{"collector", name}}));
  }
  void fill(Samples& samples, Collect<snapshot::Node> collect) const {
    if (node_ != nullptr) collect(*node_, Sink(samples, {}));
  }
  void fill(Samples& samples, Collect<snapshot::ModelFiles> collect) const {
    for (const auto& [name, files] : model_files_) collect(*files, Sink(samples, {{"policy", name}}));
  }
  void fill(Samples& samples, Collect<snapshot::Unit> collect) const {
    for (const auto& [name, unit] : units_) collect(*unit, Sink(samples, {{"unit", name}}));
  }
  void fill(Samples& samples, Collect<snapshot::RoleSum> collect) const {
    for (const auto& [name, unit] : units_) {
      std::set<engine::Role> seen;  // a snapshot that names a role twice gets its first
      for (const snapshot::RoleSum& role : unit->roles) {
        if (!seen.insert(role.role).second) continue;
        collect(role, Sink(samples, {{"unit", name}, {"role", engine::kRoleNames.name(role.role)}}));
      }
    }
  }

  const Scrape& scrape_;
  bool fresh_;
  std::vector<Named<snapshot::Collector>> collectors_;
  std::vector<Named<snapshot::Unit>> units_;
  const snapshot::Node* node_ = nullptr;
  std::vector<Named<snapshot::ModelFiles>> model_files_;
};

}  // namespace

std::array<std::span<const Row>, 10> all_rows() {
  return {exporter_rows(),    observer_rows(), node_memory_rows(), node_thp_rows(), node_numa_rows(),
          model_files_rows(), unit_rows(),     unit_memory_rows(), role_rows(),     drift_rows()};
}

double stale_after(const snapshot::Snapshot& snapshot) {
  constexpr double kAtLeast = 60;  // a short interval must not turn a busy minute into an outage
  return std::max(kAtLeast, 3 * snapshot.interval);
}

std::vector<MetricFamily> collect(const Scrape& scrape) {
  const Subject subject(scrape);
  std::vector<MetricFamily> families;
  FamilySamples up(observer_up_doc());
  subject.observer_up(up);
  up.finish(families);
  for (const auto rows : all_rows()) {
    for (const Row& row : rows) {
      FamilySamples samples(row.doc);
      subject.fill(samples, row);
      samples.finish(families);
    }
  }
  return families;
}

std::vector<MetricFamily> collect(const snapshot::Snapshot& snapshot, double now) {
  return collect(Scrape{.snapshot = &snapshot, .exporter = std::nullopt, .now = now});
}

std::string render_page(const Scrape& scrape) {
  const Subject subject(scrape);
  std::string page;
  PageSamples up(page, observer_up_doc());
  subject.observer_up(up);
  for (const auto rows : all_rows()) {
    for (const Row& row : rows) {
      PageSamples samples(page, row.doc);
      subject.fill(samples, row);
    }
  }
  return page;
}

}  // namespace allocd::metrics
