// SPDX-License-Identifier: Apache-2.0
// Which file is preloaded, whether only root could have written it, and whether this host's programs can load
// it.
//
// A library that is preloaded into a service is code of that service: it and every directory and link on the
// way to it must belong to root and be writable by nobody else. What is written into the drop-in is the path
// as it was found (a soname's link survives an upgrade); what is examined is the file it leads to. Whether
// the library works is not said here: the canary says it. Blocking file reads; nothing is cached. Safe from
// any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/kind.hpp"
#include "host/root.hpp"
#include "preflight/path_walk.hpp"
#include "preflight/reason.hpp"
#include "settings/settings.hpp"

namespace allocd::preflight {

struct Identity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  std::string build_id;  // lower-case hex, "" when it has none
  bool operator==(const Identity&) const = default;
};

struct Library {
  std::string path;      // what LD_PRELOAD names
  std::string resolved;  // the file that leads to, every link followed
  Identity identity;
  allocator::Kind kind = allocator::Kind::unknown;
  bool operator==(const Library&) const = default;
};

// What the library must fit. The defaults are this host's own.
struct Requirements {
  std::uint16_t machine;    // EM_...
  std::uint64_t page_size;  // of the running kernel
  uid_t trusted_owner = 0;  // besides root; tests are not always root
  [[nodiscard]] static Requirements of_this_host();
};

// `configured` is the path of the settings, nothing for "auto". `root_directory` is the service's
// RootDirectory=,
// "" without one. `wanted` is one of the three libraries.
[[nodiscard]] std::expected<Library, Finding> find_library(
    const host::Root& root, settings::Wanted wanted, const std::optional<std::string>& configured,
    std::string_view root_directory = "", const Requirements& needs = Requirements::of_this_host());

// Whether LD_PRELOAD can carry this path: absolute, no blank, no ':', nothing that is not printable.
[[nodiscard]] Finding decide_preload_path(std::string_view path);

// The first thing on the way that others than root (and `trusted_owner`) could have written, or ok.
[[nodiscard]] Finding decide_trust(const Walked& walked, uid_t trusted_owner);

// Where "auto" looks, in this order: the distributions' directories, then /usr/local.
[[nodiscard]] std::vector<std::string> library_candidates(settings::Wanted wanted);

// The value of LD_PRELOAD: what is proved is what is written.
[[nodiscard]] std::string render_preload(std::span<const std::string> paths);

}  // namespace allocd::preflight
