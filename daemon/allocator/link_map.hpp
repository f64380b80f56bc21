// SPDX-License-Identifier: Apache-2.0
// The dynamic linker's own list of loaded objects, in the order it searches them for a symbol.
//
// From the executable's header: PT_DYNAMIC, DT_DEBUG, r_debug, link_map (link.h; the debugger interface of
// ld.so). A program started as an argument of ld.so, or linked without DT_DEBUG, is found through the
// linker's exported _r_debug. The start-up objects never move; what dlopen adds and removes comes after them,
// so the first definer of `malloc` is stable even while the tail changes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allocator/elf_image.hpp"
#include "allocator/memory_reader.hpp"

namespace allocd::allocator {

struct LoadedObject {
  std::uint64_t bias = 0;
  std::uint64_t dynamic_address = 0;
  DynamicSection dynamic;
  bool readable = false;  // the dynamic section could be read
};

enum class WalkOutcome {
  ok,
  is_static,      // no dynamic linker in this program
  too_early,      // the dynamic linker has not got to it yet
  changing,       // a dlopen or dlclose was under way; the start-up set is there, the tail may not be
  foreign_class,  // 32-bit or other-endian
  unreadable      // MemoryReader::last_error says why
};

struct LinkMapWalk {
  WalkOutcome outcome = WalkOutcome::unreadable;
  std::vector<LoadedObject> objects;  // in search order, the executable first
};

inline constexpr std::size_t kMaxObjects = 4096;

// `executable` is the address where offset 0 of the executable is mapped, `linker` that of the dynamic linker
// (0 when none was seen).
[[nodiscard]] LinkMapWalk walk_link_map(MemoryReader& memory, std::uint64_t executable, std::uint64_t linker);

}  // namespace allocd::allocator
