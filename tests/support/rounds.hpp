// SPDX-License-Identifier: Apache-2.0
// How often a property is tried.
#pragma once

namespace allocd::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kFewer = 10;
#else
inline constexpr int kFewer = 1;
#endif

// A sanitizer makes a round many times as slow, and looks for faults of memory and of threads, not for cases
// that are one in thousands.
constexpr int rounds(int plain) {
  return plain / kFewer;
}

}  // namespace allocd::test
