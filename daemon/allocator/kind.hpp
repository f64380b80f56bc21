// SPDX-License-Identifier: Apache-2.0
// The closed sets in which allocator evidence is told. Part of the contract (metric labels, JSON).
#pragma once

#include "base/closed_enum.hpp"

namespace allocd::allocator {

enum class Kind { glibc, jemalloc, tcmalloc, mimalloc, musl, other, unknown };
inline constexpr base::EnumNames<Kind, 7> kKindNames{
    {"glibc", "jemalloc", "tcmalloc", "mimalloc", "musl", "other", "unknown"}};

// How far up the ladder of evidence we got.
enum class Rung {
  none,         // nothing could be read
  mapped,       // names in the memory map only: says what is there, not what is used
  fingerprint,  // a static program: text found in its file
  resolved      // first definer of `malloc` in the dynamic linker's own order
};
inline constexpr base::EnumNames<Rung, 4> kRungNames{{"none", "mapped", "fingerprint", "resolved"}};

enum class LibraryState {
  active,             // `malloc` resolves to it
  mapped_not_active,  // in memory, but `malloc` resolves elsewhere
  embedded,           // built into the executable under hidden names: present, use not provable from outside
  mapped              // in memory; where `malloc` resolves to could not be read
};
inline constexpr base::EnumNames<LibraryState, 4> kLibraryStateNames{
    {"active", "mapped_not_active", "embedded", "mapped"}};

enum class OnDisk {
  current,   // the path still leads to the mapped file
  deleted,   // the path leads nowhere
  replaced,  // the path leads to another file: an upgrade, in use after a restart
  unknown    // could not be looked at
};
inline constexpr base::EnumNames<OnDisk, 4> kOnDiskNames{{"current", "deleted", "replaced", "unknown"}};

}  // namespace allocd::allocator
