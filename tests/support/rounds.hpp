// SPDX-License-Identifier: Apache-2.0
// How often a property is tried.
#pragma once

#include "support/sanitized.hpp"

namespace allocd::test {

#if defined(ALLOCD_SANITIZED)
inline constexpr int kFewer = 40;
#else
inline constexpr int kFewer = 1;
#endif

// A sanitizer makes a round many times as slow, and looks for faults of memory and of threads, not for cases
// that are one in thousands.
constexpr int rounds(int plain) {
  return plain / kFewer;
}

}  // namespace allocd::test
