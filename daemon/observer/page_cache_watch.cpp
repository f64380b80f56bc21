// SPDX-License-Identifier: Apache-2.0
#include "observer/page_cache_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernel/page_cache.hpp"
#include "kernel/system.hpp"
#include "observer/side_collector.hpp"

namespace allocd::observer {

namespace {

constexpr std::chrono::seconds kLongestRead{2};
constexpr std::chrono::seconds kNextTry{1};

std::string describe_trouble(const std::string& service, const kernel::PageCache& figures) {
  if (figures.failed + figures.unsupported > 0) {
    return fmt::format("{}: {} model files could not be read", service, figures.failed + figures.unsupported);
  }
  if (!figures.is_complete()) return service + ": more model files than are looked at in one go";
  const auto hidden = figures.not_permitted + figures.search.not_permitted;
  if (hidden > 0) return fmt::format("{}: {} model files or directories may not be read", service, hidden);
  return "";
}

}  // namespace

PageCacheWatch::PageCacheWatch(const host::Root& root, std::shared_ptr<SideEvent> event)
    : root_(root), lane_(std::move(event)) {
  collector_.name = "page_cache";
}

void PageCacheWatch::configure(const settings::Settings& settings, Clock::time_point now) {
  interval_ = settings.observe.page_cache_interval;
  std::map<std::string, Entry> entries;
  for (const auto& service : settings.services) {
    if (service.model_paths.empty()) continue;
    Entry& entry = entries[service.name];
    const auto known = entries_.find(service.name);
    if (known != entries_.end() && known->second.shown.patterns == service.model_paths) {
      entry = std::move(known->second);
      entry.due = std::min(entry.due, now + interval_);
    } else {
      entry.shown.service = service.name;
      entry.shown.patterns = service.model_paths;
      entry.due = now;
    }
    entry.shown.interval = std::chrono::duration<double>(interval_).count();
  }
  entries_ = std::move(entries);
}

Clock::time_point PageCacheWatch::go_on(Clock::time_point now) {
  if (entries_.empty() || lane_.busy_since()) return Clock::time_point::max();
  const auto next =
      std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.due; });
  if (now < next->second.due) return next->second.due;
  next->second.due = now + interval_;
  if (begin(next->second)) return Clock::time_point::max();  // until it comes back
  note_failure(collector_, "no thread or descriptor is to be had");
  return now + kNextTry;
}

bool PageCacheWatch::begin(Entry& entry) {
  auto root = root_.duplicate();
  if (!root) return false;
  return lane_.start([this, service = entry.shown.service, patterns = entry.shown.patterns,
                      copy = std::make_shared<host::Root>(std::move(*root))](
                         const SideLane::StillWanted& still_wanted) -> SideLane::Done {
    const auto end = Clock::now() + kLongestRead;
    const auto figures =
        kernel::read_page_cache(*copy, patterns, {}, [&] { return still_wanted() && Clock::now() < end; });
    // Runs on the loop, and only while this lives.
    return
        [this, service, patterns, figures](const SideCost& cost) { take(service, patterns, figures, cost); };
  });
}

void PageCacheWatch::take(const std::string& service, const std::vector<std::string>& patterns,
                          const kernel::PageCache& figures, const SideCost& cost) {
  const auto entry = entries_.find(service);
  // The settings have changed meanwhile.
  if (entry == entries_.end() || entry->second.shown.patterns != patterns) return;
  entry->second.trouble = describe_trouble(service, figures);
  entry->second.shown.figures = figures;
  entry->second.shown.read_at = kernel::realtime_now();
  entry->second.shown.duration = cost.seconds;
  note_all(cost);
}

// A run is of one service, the collector of all: a good read of the next must not hide a bad one.
void PageCacheWatch::note_all(const SideCost& cost) {
  std::string trouble;
  std::uint64_t refused = 0;
  for (const auto& [service, entry] : entries_) {
    if (trouble.empty()) trouble = entry.trouble;
    refused += entry.shown.figures.not_permitted + entry.shown.figures.search.not_permitted;
  }
  note_run(collector_, cost, std::move(trouble));
  collector_.permission_errors = refused;
}

void PageCacheWatch::fill(snapshot::Snapshot& snapshot, Clock::time_point now) const {
  if (entries_.empty()) return;
  for (const auto& [service, entry] : entries_) snapshot.model_files.push_back(entry.shown);
  show_collector(collector_, lane_, now, snapshot);
}

}  // namespace allocd::observer
