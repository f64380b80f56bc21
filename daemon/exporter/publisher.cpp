// SPDX-License-Identifier: Apache-2.0
#include "exporter/publisher.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "exporter/http.hpp"
#include "metrics/metrics.hpp"
#include "snapshot/client.hpp"

namespace allocd::exporter {
namespace {

using Fetched = base::Result<std::shared_ptr<const snapshot::Snapshot>>;

double now_in_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::chrono::milliseconds remaining(std::chrono::steady_clock::time_point deadline) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
}

// A source is the caller's code: what it throws ends here.
Fetched fetch(const Source& source, std::chrono::milliseconds deadline) {
  try {
    Fetched fetched = source(deadline);
    if (fetched && *fetched == nullptr) return base::fault("fetch", "the snapshot", "there is none yet");
    return fetched;
  } catch (const std::exception& error) {
    return base::fault("fetch", "the snapshot", error.what());
  }
}

}  // namespace

Source socket_source(std::string socket_path) {
  return [path = std::move(socket_path)](std::chrono::milliseconds deadline) -> Fetched {
    const snapshot::FetchOptions options{.socket_path = path, .deadline = deadline};
    auto snapshot = snapshot::fetch(options, snapshot::Detail::without_processes);
    if (!snapshot) return std::unexpected(std::move(snapshot.error()));
    return std::make_shared<const snapshot::Snapshot>(std::move(*snapshot));
  };
}

const std::string& Page::gzip() const {
  std::call_once(compressed_, [this] { gzip_ = compress_gzip(text_); });
  return gzip_;
}

Publisher::Publisher(Source source, OnChange on_change, std::function<std::uint64_t()> connections_dropped)
    : source_(std::move(source)),
      on_change_(std::move(on_change)),
      connections_dropped_(std::move(connections_dropped)),
      started_at_(now_in_seconds()) {
}

std::shared_ptr<const Page> Publisher::page(std::chrono::milliseconds patience) {
  const auto arrived = Clock::now();
  const auto deadline = arrived + patience;
  std::unique_lock lock(mutex_);
  if (!idle_.wait_until(lock, deadline, [this] { return !busy_; })) {
    ++fetch_errors_;  // somebody else waited for the observer all the while
    return render(nullptr, patience);
  }
  // A page that was begun after we came is as fresh as one of our own.
  if (last_begun_ >= arrived) {
    if (auto shared = last_.lock(); shared && shared->has_snapshot()) return shared;
  }
  busy_ = true;
  last_begun_ = Clock::now();
  lock.unlock();
  auto page = make_page(std::max(std::chrono::milliseconds(1), remaining(deadline)));
  lock.lock();
  busy_ = false;
  last_ = page;
  idle_.notify_all();
  return page;
}

std::shared_ptr<const Page> Publisher::make_page(std::chrono::milliseconds patience) {
  const auto begun = Clock::now();
  const Fetched fetched = fetch(source_, patience);
  if (fetched) ready_ = true;
  if (!fetched) ++fetch_errors_;
  note_outcome(fetched ? nullptr : &fetched.error());
  return render(fetched ? fetched->get() : nullptr, Clock::now() - begun);
}

std::shared_ptr<const Page> Publisher::render(const snapshot::Snapshot* snapshot,
                                              Clock::duration fetch_duration) {
  const metrics::ExporterFacts facts{.version = ALLOCD_VERSION,
                                     .started_at = started_at_,
                                     .fetch_duration = std::chrono::duration<double>(fetch_duration).count(),
                                     .fetch_errors = fetch_errors_,
                                     .connections_dropped = connections_dropped_()};
  const metrics::Scrape scrape{.snapshot = snapshot, .exporter = facts, .now = now_in_seconds()};
  return std::make_shared<const Page>(metrics::render_page(scrape), snapshot != nullptr);
}

void Publisher::note_outcome(const base::Fault* fault) {
  const Health health = fault == nullptr ? Health::good : Health::bad;
  const bool first_success = health_ == Health::unknown && health == Health::good;
  if (health != health_ && !first_success && on_change_) on_change_(fault);
  health_ = health;
}

}  // namespace allocd::exporter
