// SPDX-License-Identifier: Apache-2.0
// What is read beside the samples, each on a lane of its own: the machine, the page cache, costly reads.
//
// Owns the lanes' event and one timer on the loop. A stuck lane shows as a failed collector; the others go
// on. Must go before the loop does. Single-threaded, on the loop.
#pragma once

#include <functional>
#include <memory>

#include "base/result.hpp"
#include "host/event_timer.hpp"
#include "host/root.hpp"
#include "observer/costly_watch.hpp"
#include "observer/event_source.hpp"
#include "observer/node_watch.hpp"
#include "observer/page_cache_watch.hpp"
#include "observer/sampler.hpp"
#include "settings/settings.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

class SideWatch {
 public:
  // `on_first_node` is called once, when the machine has been read for the first time.
  [[nodiscard]] static base::Result<std::unique_ptr<SideWatch>> start(sd_event* loop, const host::Root& root,
                                                                      const settings::Settings& settings,
                                                                      std::function<void()> on_first_node);
  SideWatch(const host::Root& root, std::shared_ptr<SideEvent> event, std::function<void()> on_first_node);

  void configure(const settings::Settings& settings);
  // After each sample: what is known, into it, and what it has to be asked about next.
  void follow(snapshot::Snapshot& snapshot, const Sampler& sampler, const settings::Settings& settings);
  [[nodiscard]] bool knows_node() const { return node_.is_known(); }

 private:
  static int on_event(sd_event_source* source, int fd, std::uint32_t events, void* self);
  void go_on();

  std::shared_ptr<SideEvent> event_;
  std::function<void()> on_first_node_;
  NodeWatch node_;
  PageCacheWatch page_cache_;
  CostlyWatch costly_;
  EventSource io_;
  host::EventTimer timer_;
};

}  // namespace allocd::observer
