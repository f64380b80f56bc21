// SPDX-License-Identifier: Apache-2.0
// The newest snapshot, for whoever asks. Rendered to JSON when first asked for, once per sample: a sample
// that nobody reads costs no rendering. Safe from any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "snapshot/json.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

class SnapshotBoard {
 public:
  using Document = std::shared_ptr<const std::string>;

  void publish(snapshot::Snapshot snapshot);
  // Null until the first sample.
  [[nodiscard]] Document document(snapshot::Detail detail = snapshot::Detail::everything);
  [[nodiscard]] std::shared_ptr<const snapshot::Snapshot> latest();

 private:
  std::mutex mutex_;
  std::shared_ptr<const snapshot::Snapshot> latest_;
  Document full_;
  Document summary_;
};

}  // namespace allocd::observer
