// SPDX-License-Identifier: Apache-2.0
#include "ctl/answer.hpp"
#include "metrics/metrics.hpp"

namespace allocd::ctl {

std::string render_metrics(const snapshot::Snapshot& snapshot, double now) {
  return metrics::render_page({.snapshot = &snapshot, .exporter = {}, .now = now});
}

}  // namespace allocd::ctl
