// SPDX-License-Identifier: Apache-2.0
#include "observer/snapshot_board.hpp"

#include <utility>

#include "snapshot/json.hpp"

namespace allocd::observer {

void SnapshotBoard::publish(snapshot::Snapshot snapshot) {
  auto next = std::make_shared<const snapshot::Snapshot>(std::move(snapshot));
  const std::scoped_lock lock(mutex_);
  latest_ = std::move(next);
  document_.reset();
}

SnapshotBoard::Document SnapshotBoard::document() {
  const std::scoped_lock lock(mutex_);
  if (!document_ && latest_) document_ = std::make_shared<const std::string>(snapshot::render_json(*latest_));
  return document_;
}

std::shared_ptr<const snapshot::Snapshot> SnapshotBoard::latest() {
  const std::scoped_lock lock(mutex_);
  return latest_;
}

}  // namespace allocd::observer
