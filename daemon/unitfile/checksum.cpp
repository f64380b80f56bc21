// SPDX-License-Identifier: Apache-2.0
#include "unitfile/checksum.hpp"

#include <fmt/format.h>
#include <nettle/sha2.h>
#include <nettle/version.h>

#include <array>
#include <cstdint>
#include <iterator>

namespace allocd::unitfile {

std::string sha256_hex(std::string_view text) {
  sha256_ctx context{};
  sha256_init(&context);
  sha256_update(&context, text.size(), reinterpret_cast<const std::uint8_t*>(text.data()));
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
#if NETTLE_VERSION_MAJOR >= 4
  sha256_digest(&context, digest.data());
#else
  sha256_digest(&context, digest.size(), digest.data());
#endif
  std::string hex;
  for (const auto byte : digest) fmt::format_to(std::back_inserter(hex), "{:02x}", byte);
  return hex;
}

}  // namespace allocd::unitfile
