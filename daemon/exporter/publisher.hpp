// SPDX-License-Identifier: Apache-2.0
// Makes the page of metrics: fetches a snapshot, renders it, keeps the exporter's own figures.
//
// One fetch at a time, however many ask: who comes while one is running waits for it to end and then shares
// the result of the next, so a herd of scrapers costs two fetches. Nothing is kept between scrapes. A failure
// is a page too (allocd_observer_up 0). Safe from any thread; blocks for as long as the caller has patience.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.hpp"
#include "snapshot/model.hpp"

namespace allocd::exporter {

// Where snapshots come from; must answer within the deadline. Called by one thread at a time.
using Source = std::function<base::Result<std::shared_ptr<const snapshot::Snapshot>>(
    std::chrono::milliseconds deadline)>;

// Fetches from a socket of the observer, with or without processes; they are not read either way.
[[nodiscard]] Source socket_source(std::string socket_path);

// Called when fetching begins to fail (with the fault) and when it works again (with nullptr).
using OnChange = std::function<void(const base::Fault*)>;

class Page {
 public:
  Page(std::string text, bool has_snapshot) : text_(std::move(text)), has_snapshot_(has_snapshot) {}
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::string& gzip() const;  // made when first asked for; empty if it cannot be made
  [[nodiscard]] bool has_snapshot() const { return has_snapshot_; }

 private:
  std::string text_;
  bool has_snapshot_;
  mutable std::once_flag compressed_;
  mutable std::string gzip_;
};

class Publisher {
 public:
  Publisher(Source source, OnChange on_change, std::function<std::uint64_t()> connections_dropped);

  [[nodiscard]] std::shared_ptr<const Page> page(std::chrono::milliseconds patience);
  // Whether any snapshot has ever been fetched.
  [[nodiscard]] bool ready() const { return ready_; }

 private:
  using Clock = std::chrono::steady_clock;

  std::shared_ptr<const Page> make_page(std::chrono::milliseconds patience);
  std::shared_ptr<const Page> render(const snapshot::Snapshot* snapshot, Clock::duration fetch_duration);
  void note_outcome(const base::Fault* fault);

  Source source_;
  OnChange on_change_;
  std::function<std::uint64_t()> connections_dropped_;
  double started_at_;
  std::atomic<bool> ready_ = false;
  std::atomic<std::uint64_t> fetch_errors_ = 0;

  std::mutex mutex_;  // of what follows
  std::condition_variable idle_;
  bool busy_ = false;
  Clock::time_point last_begun_;
  std::weak_ptr<const Page> last_;

  enum class Health { unknown, good, bad } health_ = Health::unknown;  // of the busy thread
};

}  // namespace allocd::exporter
