// SPDX-License-Identifier: Apache-2.0
// Any text: the parser answers with a snapshot or a fault, and what it accepts survives another round.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "snapshot/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace allocd::snapshot;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto slim = parse_json(text, Detail::without_processes);
  if (!slim && slim.error().message().empty()) std::abort();
  const auto parsed = parse_json(text);
  if (!parsed) return 0;
  const auto again = parse_json(render_json(*parsed));
  if (!again || *again != *parsed) std::abort();
  return 0;
}
