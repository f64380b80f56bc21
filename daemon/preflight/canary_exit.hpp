// SPDX-License-Identifier: Apache-2.0
// How the canary ends: what it found wrong. A header of its own because the canary includes nothing of a C++
// runtime.
#pragma once

namespace allocd::preflight {

// None is a shell's, the dynamic linker's (127) or systemd's (200 and up).
enum CanaryExit : int {
  kCanarySound = 0,
  kCanaryUsage = 64,
  kCanaryNoOwner = 70,     // nobody owns malloc, or the dynamic linker does not say who
  kCanarySplitOwner = 71,  // malloc, free and their kin come from different libraries
  kCanaryNoMemory = 72,    // a small allocation failed
  kCanaryMisaligned = 73,
  kCanaryTooSmall = 74,   // malloc_usable_size says less than was asked for
  kCanaryCorrupted = 75,  // what was written is not what is read, or calloc's memory is not zero
  kCanaryNoThread = 76,
  kCanaryNoFork = 77,
  kCanaryChildCrashed = 78,  // after fork
  kCanaryChildHung = 79,     // after fork
  kCanaryChildFailed = 80,   // after fork: one of the checks above
  kCanaryCannotReport = 81   // stdout cannot be written
};

}  // namespace allocd::preflight
