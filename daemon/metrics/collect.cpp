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
std::vector<Named<Part>> name_parts(const std::vector<Part>& parts) {
  std::vector<Named<Part>> named;
  std::set<std::string> taken;
  for (const Part& part : parts) {
    std::string name = base::to_valid_utf8(part.name);
    if (taken.insert(name).second) named.push_back({std::move(name), &part});
  }
  return named;
}

bool is_fresh(const Scrape& scrape) {
  return scrape.snapshot != nullptr &&
         scrape.now - scrape.snapshot->taken_at <= stale_after(*scrape.snapshot);
}

MetricFamily empty_family(const MetricDoc& doc) {
  MetricFamily family;
  family.name = doc.name;
  family.help = render_help(doc);
  family.type = doc.type == Type::counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
  return family;
}

// What the rows are asked about: the scrape, and those parts of its snapshot that may be shown.
class Subject {
 public:
  explicit Subject(const Scrape& scrape) : scrape_(scrape), fresh_(is_fresh(scrape)) {
    if (scrape.snapshot == nullptr) return;
    collectors_ = name_parts(scrape.snapshot->collectors);
    if (fresh_) units_ = name_parts(scrape.snapshot->units);
  }

  [[nodiscard]] MetricFamily observer_up() const {
    MetricFamily family = empty_family(observer_up_doc());
    Sink(family, {}).add(fresh_);
    return family;
  }

  [[nodiscard]] MetricFamily family(const Row& row) const {
    MetricFamily family = empty_family(row.doc);
    std::visit([&](auto collect) { fill(family, collect); }, row.collect);
    return family;
  }

 private:
  void fill(MetricFamily& family, Collect<ExporterFacts> collect) const {
    if (scrape_.exporter) collect(*scrape_.exporter, Sink(family, {}));
  }
  void fill(MetricFamily& family, Collect<snapshot::Snapshot> collect) const {
    if (scrape_.snapshot != nullptr) collect(*scrape_.snapshot, Sink(family, {}));
  }
  void fill(MetricFamily& family, Collect<snapshot::Collector> collect) const {
    for (const auto& [name, collector] : collectors_)
      collect(*collector, Sink(family, {{"collector", name}}));
  }
  void fill(MetricFamily& family, Collect<snapshot::Unit> collect) const {
    for (const auto& [name, unit] : units_) collect(*unit, Sink(family, {{"unit", name}}));
  }
  void fill(MetricFamily& family, Collect<snapshot::RoleSum> collect) const {
    for (const auto& [name, unit] : units_) {
      std::set<engine::Role> seen;  // a snapshot that names a role twice gets its first
      for (const snapshot::RoleSum& role : unit->roles) {
        if (!seen.insert(role.role).second) continue;
        collect(role, Sink(family, {{"unit", name}, {"role", engine::kRoleNames.name(role.role)}}));
      }
    }
  }

  const Scrape& scrape_;
  bool fresh_;
  std::vector<Named<snapshot::Collector>> collectors_;
  std::vector<Named<snapshot::Unit>> units_;
};

template <typename Visitor>
void for_each_family(const Scrape& scrape, Visitor visit) {
  const Subject subject(scrape);
  visit(subject.observer_up());
  for (const auto rows : {exporter_rows(), observer_rows(), unit_rows(), role_rows()}) {
    for (const Row& row : rows) {
      MetricFamily family = subject.family(row);
      if (!family.metric.empty()) visit(std::move(family));
    }
  }
}

void append_label(prometheus::ClientMetric& metric, const Label& label) {
  metric.label.push_back({std::string(label.first), std::string(label.second)});
}

}  // namespace

void Sink::add(double value, std::initializer_list<Label> more) const {
  prometheus::ClientMetric metric;
  metric.label.reserve(common_.size() + more.size());
  for (const Label& label : common_) append_label(metric, label);
  for (const Label& label : more) append_label(metric, label);
  if (family_.type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family_.metric.push_back(std::move(metric));
}

double stale_after(const snapshot::Snapshot& snapshot) {
  constexpr double kAtLeast = 60;  // a short interval must not turn a busy minute into an outage
  return std::max(kAtLeast, 3 * snapshot.interval);
}

std::vector<MetricFamily> collect(const Scrape& scrape) {
  std::vector<MetricFamily> families;
  for_each_family(scrape, [&](MetricFamily family) { families.push_back(std::move(family)); });
  return families;
}

std::vector<MetricFamily> collect(const snapshot::Snapshot& snapshot, double now) {
  return collect(Scrape{.snapshot = &snapshot, .exporter = std::nullopt, .now = now});
}

std::string render_page(const Scrape& scrape) {
  std::string page;
  for_each_family(scrape, [&](const MetricFamily& family) { append_text(page, family); });
  return page;
}

}  // namespace allocd::metrics
