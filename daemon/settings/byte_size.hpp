// SPDX-License-Identifier: Apache-2.0
// Byte sizes as people write them: "4096", "64K", "64KiB", "2G", "1TiB".
//
// K, M, G and T are powers of 1024, as in systemd; a bare number is bytes. KB, MB, ... are refused because
// half of the world reads them as powers of 1000. Whole numbers only. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "settings/value_error.hpp"

namespace allocd::settings {

[[nodiscard]] std::expected<std::uint64_t, ValueError> parse_byte_size(std::string_view text);

// The shortest exact text that parse_byte_size reads back: "64K", "1025", "0".
[[nodiscard]] std::string render_byte_size(std::uint64_t bytes);

}  // namespace allocd::settings
