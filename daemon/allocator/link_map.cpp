// SPDX-License-Identifier: Apache-2.0
#include "allocator/link_map.hpp"

#include <link.h>

#include <cstddef>
#include <set>

namespace allocd::allocator {

namespace {

// r_debug of link.h with its state as a number: the process can have put anything there, and a value that its
// enumeration does not hold must not be read as one.
struct Debug {
  int version;
  std::uint64_t map;
  std::uint64_t brk;
  int state;
};
static_assert(offsetof(Debug, map) == offsetof(r_debug, r_map));
static_assert(offsetof(Debug, state) == offsetof(r_debug, r_state));

// Address of r_debug by the linker's exported name for it: glibc's is the structure, musl's a pointer to it.
std::uint64_t find_exported_debug(MemoryReader& memory, std::uint64_t linker) {
  if (linker == 0) return 0;
  const auto header = read_image_header(memory, linker);
  if (!header || header->dynamic == 0) return 0;
  const auto dynamic = read_dynamic_section(memory, header->dynamic, header->bias);
  if (!dynamic) return 0;
  if (const auto structure = find_definition(memory, *dynamic, header->bias, "_r_debug")) return *structure;
  if (const auto pointer = find_definition(memory, *dynamic, header->bias, "_dl_debug_addr")) {
    return memory.read_value<std::uint64_t>(*pointer).value_or(0);
  }
  return 0;
}

struct Start {
  WalkOutcome outcome = WalkOutcome::ok;
  std::uint64_t debug = 0;
};

Start find_debug(MemoryReader& memory, std::uint64_t executable, std::uint64_t linker) {
  const auto header = read_image_header(memory, executable);
  if (!header) {
    const bool foreign = header.error() == ImageError::foreign_class;
    return {foreign ? WalkOutcome::foreign_class : WalkOutcome::unreadable, 0};
  }
  if (header->dynamic == 0) return {WalkOutcome::is_static, 0};
  const auto dynamic = read_dynamic_section(memory, header->dynamic, header->bias);
  if (!dynamic) return {WalkOutcome::unreadable, 0};
  if (header->interpreter != 0 && dynamic->debug != 0) return {WalkOutcome::ok, dynamic->debug};
  // No interpreter: a static-PIE program, or the dynamic linker itself started as a program.
  const std::uint64_t own = header->interpreter == 0 ? executable : linker;
  if (const std::uint64_t debug = find_exported_debug(memory, own); debug != 0)
    return {WalkOutcome::ok, debug};
  return {header->interpreter == 0 ? WalkOutcome::is_static : WalkOutcome::too_early, 0};
}

LoadedObject read_object(MemoryReader& memory, const link_map& node) {
  LoadedObject object;
  object.bias = node.l_addr;
  object.dynamic_address = reinterpret_cast<std::uint64_t>(node.l_ld);
  if (const auto dynamic = read_dynamic_section(memory, object.dynamic_address, object.bias)) {
    object.dynamic = *dynamic;
    object.readable = true;
  }
  return object;
}

}  // namespace

LinkMapWalk walk_link_map(MemoryReader& memory, std::uint64_t executable, std::uint64_t linker) {
  LinkMapWalk walk;
  const Start start = find_debug(memory, executable, linker);
  walk.outcome = start.outcome;
  if (start.outcome != WalkOutcome::ok) return walk;
  const auto debug = memory.read_value<Debug>(start.debug);
  if (!debug) {
    walk.outcome = WalkOutcome::unreadable;
    return walk;
  }
  std::set<std::uint64_t> seen;
  auto address = debug->map;
  while (address != 0 && walk.objects.size() < kMaxObjects && seen.insert(address).second) {
    const auto node = memory.read_value<link_map>(address);
    if (!node) {
      walk.outcome = WalkOutcome::changing;
      return walk;
    }
    walk.objects.push_back(read_object(memory, *node));
    if (!walk.objects.back().readable) walk.outcome = WalkOutcome::changing;
    address = reinterpret_cast<std::uint64_t>(node->l_next);
  }
  if (walk.objects.empty())
    walk.outcome = WalkOutcome::too_early;
  else if (debug->state != r_debug::RT_CONSISTENT)
    walk.outcome = WalkOutcome::changing;
  return walk;
}

}  // namespace allocd::allocator
