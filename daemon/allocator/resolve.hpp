// SPDX-License-Identifier: Apache-2.0
// Which object `malloc` resolves to, and every other object that could have been it: the link map walked and
// asked, symbol by symbol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "allocator/kind.hpp"
#include "allocator/link_map.hpp"
#include "allocator/memory_reader.hpp"
#include "allocator/survey.hpp"

namespace allocd::allocator {

struct Definer {
  Kind kind = Kind::other;
  std::size_t position = 0;          // place in the search order, the executable is 0
  const MappedFile* file = nullptr;  // null: not backed by a file any more
  std::uint64_t base = 0;
  std::uint64_t address = 0;  // of its malloc
};

struct Resolution {
  WalkOutcome outcome = WalkOutcome::unreadable;
  std::size_t objects = 0;
  std::vector<Definer> definers;  // in search order: the first is the active one
};

[[nodiscard]] Resolution resolve_malloc(MemoryReader& memory, const Survey& survey, std::uint64_t executable,
                                        std::uint64_t linker);

}  // namespace allocd::allocator
