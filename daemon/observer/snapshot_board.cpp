// SPDX-License-Identifier: Apache-2.0
#include "observer/snapshot_board.hpp"

#include <utility>

namespace allocd::observer {

void SnapshotBoard::publish(snapshot::Snapshot snapshot) {
  auto next = std::make_shared<const snapshot::Snapshot>(std::move(snapshot));
  const std::scoped_lock lock(mutex_);
  latest_ = std::move(next);
  full_.reset();
  summary_.reset();
}

SnapshotBoard::Document SnapshotBoard::document(snapshot::Detail detail) {
  const std::scoped_lock lock(mutex_);
  Document& document = detail == snapshot::Detail::everything ? full_ : summary_;
  if (!document && latest_)
    document = std::make_shared<const std::string>(snapshot::render_json(*latest_, detail));
  return document;
}

std::shared_ptr<const snapshot::Snapshot> SnapshotBoard::latest() {
  const std::scoped_lock lock(mutex_);
  return latest_;
}

}  // namespace allocd::observer
