// SPDX-License-Identifier: Apache-2.0
// What an LD_PRELOAD value asks for, and which value systemd would hand to a unit's processes (ld.so(8),
// systemd.exec(5)). Names only: whether the library exists or wins is seen in the process, not here.
// Pure; safe from any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/kind.hpp"

namespace allocd::policy {

// The first entry whose file name is an allocator's; entries are separated by ':' or blanks. Nothing if none
// is.
[[nodiscard]] std::optional<allocator::Kind> decide_preload_kind(std::string_view value);

// "NAME=value" of what a container client is told to set: -e and --env, in all their forms.
[[nodiscard]] std::vector<std::string> list_container_environment(
    std::span<const std::vector<std::string>> commands);

struct Preload {
  std::string value;      // of LD_PRELOAD, "" when not set
  bool is_unset = false;  // UnsetEnvironment= takes it away again
  bool operator==(const Preload&) const = default;
};

// `environment` is "NAME=value", the last one of a name wins; `unset_environment` is "NAME" or "NAME=value",
// and the latter removes only that very value.
[[nodiscard]] Preload decide_preload(std::span<const std::string> environment,
                                     std::span<const std::string> unset_environment);

}  // namespace allocd::policy
