// SPDX-License-Identifier: Apache-2.0
// What a reader thread does for one process. Owns what it needs: it may outlive the observer by a stuck read.
#pragma once

#include "observer/evidence_pool.hpp"

namespace allocd::observer {

[[nodiscard]] EvidencePool::Read make_process_reader();

}  // namespace allocd::observer
