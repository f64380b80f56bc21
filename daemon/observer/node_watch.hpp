// SPDX-License-Identifier: Apache-2.0
// The machine's memory state, on a slow timer, and what was declared of it.
//
// The reading runs on a side lane: 220 small files and more, and a driver that is asked for its GPUs' places.
// A failed or stuck reading keeps the one before, with its time. Single-threaded, on the loop.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/root.hpp"
#include "node/expect.hpp"
#include "node/locality.hpp"
#include "observer/side_lane.hpp"
#include "settings/settings.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

class NodeWatch {
 public:
  NodeWatch(const host::Root& root, std::shared_ptr<SideEvent> event);

  // New expectations are compared with what was read last; a shorter interval counts from now.
  void configure(const settings::Settings& settings, Clock::time_point now);
  // The GPUs that processes have; a new one brings the next reading forward.
  void want_gpus(const snapshot::Snapshot& snapshot, Clock::time_point now);
  // Begins what is due. When to be called next.
  [[nodiscard]] Clock::time_point go_on(Clock::time_point now);
  // True when there was a result.
  bool collect() { return lane_.collect(); }

  // Also the collector "node".
  void fill(snapshot::Snapshot& snapshot, Clock::time_point now) const;
  [[nodiscard]] bool is_known() const { return node_.known; }
  [[nodiscard]] const node::NodeMap& map() const { return map_; }
  [[nodiscard]] const std::map<std::string, unsigned>& gpu_nodes() const { return gpu_nodes_; }

 private:
  struct Result {
    node::NodeState state;
    std::map<std::string, unsigned> gpu_nodes;
  };
  void take(Result result, const SideCost& cost);

  const host::Root& root_;
  SideLane lane_;
  node::Expectations expectations_;
  std::chrono::milliseconds interval_{0};
  Clock::time_point due_{};
  std::set<std::string> gpus_;

  snapshot::Node node_;
  snapshot::Collector collector_;
  node::NodeMap map_;
  std::map<std::string, unsigned> gpu_nodes_;
};

}  // namespace allocd::observer
