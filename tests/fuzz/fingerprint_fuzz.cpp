// SPDX-License-Identifier: Apache-2.0
// Two bytes that say how much nothing comes first, then the text of a program: a file read in chunks gives
// what the same text gives in one piece, also where a mark lies across the seam between two chunks.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "allocator/fingerprint.hpp"
#include "support/memory_file.hpp"

using allocd::allocator::find_fingerprint;
using allocd::allocator::FingerprintCache;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kChunk = std::size_t{1} << 20U;  // as the reader's
  if (size < 2) return 0;
  static const allocd::test::MemoryFile file;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  file.write(text.data(), text.size(), data[0] == 's' ? kChunk - data[1] : 0);
  FingerprintCache cache;
  const auto found = cache.of_file(file.fd(), [] { return true; });
  if (!found || !(*found == find_fingerprint(text))) std::abort();
  // The second time it is known, and nothing is read: the same answer.
  if (cache.of_file(file.fd(), [] { return false; }) != found) std::abort();
  static_cast<void>(found->kind());
  return 0;
}
