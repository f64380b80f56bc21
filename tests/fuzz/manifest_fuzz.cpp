// SPDX-License-Identifier: Apache-2.0
// Any text as the enforcer's manifest: a manifest or a fault, and what is accepted survives another round.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "enforcer/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace allocd::enforcer;
  const auto parsed = parse_manifest({reinterpret_cast<const char*>(data), size});
  if (!parsed) {
    if (parsed.error().message().empty() || parsed.error().code != 0) std::abort();
    return 0;
  }
  const auto again = parse_manifest(render_manifest(*parsed));
  if (!again || *again != *parsed) std::abort();
  return 0;
}
