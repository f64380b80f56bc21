// SPDX-License-Identifier: Apache-2.0
// Any bytes from a client that has only connected, and any text in the two headers that are ours to read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "exporter/http.hpp"

using namespace allocd::exporter;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // No more than this is looked at.
  size = std::min(size, kMaxHead);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Head head = inspect_head(text);
  require((head != Head::incomplete || size < kMaxHead) && (head != Head::too_long || size == kMaxHead));
  require(head != Head::complete || text.find('\n') != std::string_view::npos);
  // What has been said of the first bytes is not taken back for those that follow.
  if (size > 0) {
    const Head before = inspect_head(text.substr(0, size - 1));
    require(before == Head::incomplete || before == head);
  }
  static_cast<void>(accepts_gzip(text));
  const auto patience = decide_patience(text);
  require(patience.count() > 0 && patience <= kMaxPatience);
  return 0;
}
