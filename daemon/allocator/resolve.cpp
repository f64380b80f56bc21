// SPDX-License-Identifier: Apache-2.0
#include "allocator/resolve.hpp"

#include <string_view>

#include "allocator/classify.hpp"

namespace allocd::allocator {

namespace {

Definer describe(MemoryReader& memory, const Survey& survey, const LoadedObject& object,
                 std::uint64_t address) {
  Definer definer;
  definer.address = address;
  // By where its dynamic section lies: the link map's own name is whatever the program asked for.
  const Located located = survey.file_at(object.dynamic_address);
  definer.file = located.file;
  definer.base = located.base;
  const std::string_view path =
      located.file != nullptr ? std::string_view(located.file->path) : std::string_view();
  definer.kind = decide_definer_kind(path, [&](const char* symbol) {
    return find_definition(memory, object.dynamic, object.bias, symbol).has_value();
  });
  return definer;
}

}  // namespace

Resolution resolve_malloc(MemoryReader& memory, const Survey& survey, std::uint64_t executable,
                          std::uint64_t linker) {
  const LinkMapWalk walk = walk_link_map(memory, executable, linker);
  Resolution resolution;
  resolution.outcome = walk.outcome;
  resolution.objects = walk.objects.size();
  for (std::size_t i = 0; i < walk.objects.size(); ++i) {
    const LoadedObject& object = walk.objects[i];
    const auto address = find_definition(memory, object.dynamic, object.bias, "malloc");
    if (!address) continue;
    Definer definer = describe(memory, survey, object, *address);
    definer.position = i;
    resolution.definers.push_back(definer);
  }
  return resolution;
}

}  // namespace allocd::allocator
