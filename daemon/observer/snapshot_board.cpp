// SPDX-License-Identifier: Apache-2.0
#include "observer/snapshot_board.hpp"

#include <utility>

namespace allocd::observer {

void SnapshotBoard::publish(snapshot::Snapshot snapshot) {
  auto next = std::make_shared<const snapshot::Snapshot>(std::move(snapshot));
  Document full;
  Document summary;
  const std::scoped_lock lock(mutex_);  // let go before what it was held for is freed
  latest_.swap(next);
  full_.swap(full);
  summary_.swap(summary);
}

// Not under the lock: whoever publishes meanwhile must not wait for it.
SnapshotBoard::Document SnapshotBoard::document(snapshot::Detail detail) {
  Document& slot = detail == snapshot::Detail::everything ? full_ : summary_;
  std::unique_lock lock(mutex_);
  const auto of = latest_;
  if (slot || !of) return slot;
  lock.unlock();
  auto made = std::make_shared<const std::string>(snapshot::render_json(*of, detail));
  lock.lock();
  if (latest_ == of) slot = made;
  return made;
}

std::shared_ptr<const snapshot::Snapshot> SnapshotBoard::latest() {
  const std::scoped_lock lock(mutex_);
  return latest_;
}

}  // namespace allocd::observer
