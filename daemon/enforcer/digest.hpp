// SPDX-License-Identifier: Apache-2.0
// The library that a policy comes to on this host, and what the latch of a rolled-back unit depends on: what
// the policy asks for, how a unit is watched (its health URL, `settle`), and the files that it preloads.
//
// A package that replaces the library changes the digest, as an edited policy does. Blocking file reads, of
// the library's symbols too; nothing is cached. Needs no privilege. Safe from any thread.
#pragma once

#include <string>

#include "host/root.hpp"
#include "settings/settings.hpp"

namespace allocd::enforcer {

struct FoundLibrary {
  std::string path;      // "" when there is none
  std::string problem;   // why there is none
  std::string identity;  // of its file, and of those of `extra_preload`
  bool is_unfit = false;
  bool in_root = true;  // of the service, where it has one of its own
};

// Below RootDirectory= if the service has one; on the host if it is not there.
[[nodiscard]] FoundLibrary find_library_of(const host::Root& root, const settings::Service& service,
                                           const std::string& root_directory);

// Of what is asked for, and of the identity of the library it came to.
[[nodiscard]] std::string digest_of(const settings::Service& service, const std::string& identity);

struct Digest {
  std::string text;
  bool is_whole = true;  // false: the library was not found, or may not be read
  bool operator==(const Digest&) const = default;
};

// As it is now.
[[nodiscard]] Digest read_digest(const host::Root& root, const settings::Service& service,
                                 const std::string& root_directory);

}  // namespace allocd::enforcer
