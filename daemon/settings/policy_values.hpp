// SPDX-License-Identifier: Apache-2.0
// The texts of a policy that are not words or numbers: what is preloaded, jemalloc's options, the health URL,
// model files.
//
// Only the shape is checked: whether a library exists, and whether it knows its options, is asked on the host
// before anything is written. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "settings/value_error.hpp"

namespace allocd::settings {

// An absolute path that LD_PRELOAD can carry: the dynamic linker splits at ' ' and ':' and expands '$'.
[[nodiscard]] std::expected<std::string, ValueError> parse_preload_path(std::string_view text);

// A glob over files (kernel/path_search.hpp): absolute, and it cannot climb.
[[nodiscard]] std::expected<std::string, ValueError> parse_file_pattern(std::string_view text);

// "background_thread:true,dirty_decay_ms:1000": jemalloc(3), TUNING. It names each option once.
[[nodiscard]] std::expected<std::string, ValueError> parse_malloc_conf(std::string_view text);

// Where a service says that it is well. Loopback and plain HTTP only: the one who asks is root.
struct HealthUrl {
  std::string host;  // "127.0.0.1", "::1" or "localhost"
  std::uint16_t port = 0;
  std::string target;  // "/health?full=1"
  bool operator==(const HealthUrl&) const = default;
};
[[nodiscard]] std::expected<HealthUrl, ValueError> parse_health_url(std::string_view text);

}  // namespace allocd::settings
