// SPDX-License-Identifier: Apache-2.0
#include "enforcer/digest.hpp"

#include <fmt/format.h>

#include "preflight/library.hpp"
#include "unitfile/checksum.hpp"

namespace allocd::enforcer {

using settings::Wanted;

namespace {

std::string render_identity(const preflight::Library& library) {
  const auto& id = library.identity;
  return id.build_id.empty() ? fmt::format("{}|{}|{}", library.resolved, id.size, id.modified_ns)
                             : fmt::format("{}|{}|{}", library.resolved, id.size, id.build_id);
}

// A file that is replaced is another one, as with the library; one that is not there is none.
std::string render_extra(const host::Root& root, const std::string& path, const std::string& root_directory) {
  for (const auto& place : {root_directory + path, path}) {
    const auto status = root.status(place);
    if (status)
      return fmt::format("\n{}|{}|{}.{:09}", place, status->st_size, status->st_mtim.tv_sec,
                         status->st_mtim.tv_nsec);
  }
  return fmt::format("\n{}|absent", path);
}

}  // namespace

FoundLibrary find_library_of(const host::Root& root, const settings::Service& service,
                             const std::string& root_directory) {
  FoundLibrary found;
  auto library = preflight::find_library(root, service.allocator, service.library, root_directory);
  if (!library && !root_directory.empty()) {
    found.in_root = false;
    library = preflight::find_library(root, service.allocator, service.library);
  }
  if (!library) {
    const auto& [reason, sentence] = library.error();
    found.is_unfit = reason != preflight::Reason::library_not_found;
    found.problem =
        found.is_unfit ? fmt::format("{}: {}", preflight::kReasonNames.name(reason), sentence) : sentence;
    return found;
  }
  found.path = library->path;
  found.identity = render_identity(*library);
  for (const auto& path : service.extra_preload) found.identity += render_extra(root, path, root_directory);
  return found;
}

std::string digest_of(const settings::Service& service, const std::string& identity) {
  const auto number = [](const auto& value) { return value ? fmt::format("{}", *value) : std::string(); };
  return unitfile::sha256_hex(fmt::format(
      "{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", settings::kWantedNames.name(service.allocator),
      service.library.value_or("auto"), service.malloc_conf, fmt::join(service.extra_preload, ":"),
      settings::kPrecedenceNames.name(service.precedence), number(service.glibc.arena_max),
      number(service.glibc.trim_threshold), number(service.glibc.mmap_threshold), service.health,
      service.settle.count(), identity));
}

Digest read_digest(const host::Root& root, const settings::Service& service,
                   const std::string& root_directory) {
  if (service.allocator == Wanted::glibc) return {.text = digest_of(service, "")};
  const auto library = find_library_of(root, service, root_directory);
  return {.text = digest_of(service, library.identity), .is_whole = !library.path.empty()};
}

}  // namespace allocd::enforcer
