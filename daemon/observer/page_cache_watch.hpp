// SPDX-License-Identifier: Apache-2.0
// How much of each service's model files is in the page cache, on a slow timer.
//
// One service after another on a side lane, each told to stop after two seconds: a walk over a large tree is
// then shown as incomplete. A file server that does not answer blocks the lane, and no more than that.
// Single-threaded, on the loop.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/root.hpp"
#include "observer/side_lane.hpp"
#include "settings/settings.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

class PageCacheWatch {
 public:
  PageCacheWatch(const host::Root& root, std::shared_ptr<SideEvent> event);

  // Services without model_paths are forgotten; one with others than before is read at once.
  void configure(const settings::Settings& settings, Clock::time_point now);
  // Begins what is due. When to be called next.
  [[nodiscard]] Clock::time_point go_on(Clock::time_point now);
  bool collect() { return lane_.collect(); }
  // Also the collector "page_cache", where there is anything to look at.
  void fill(snapshot::Snapshot& snapshot, Clock::time_point now) const;

 private:
  struct Entry {
    snapshot::ModelFiles shown;  // read_at 0: not read yet
    Clock::time_point due;
    std::string trouble;  // of its last read, "" for none
  };
  [[nodiscard]] bool begin(Entry& entry);
  void take(const std::string& service, const std::vector<std::string>& patterns,
            const kernel::PageCache& figures, const SideCost& cost);
  void note_all(const SideCost& cost);

  const host::Root& root_;
  SideLane lane_;
  std::chrono::milliseconds interval_{0};
  std::map<std::string, Entry> entries_;  // by service
  snapshot::Collector collector_;
};

}  // namespace allocd::observer
