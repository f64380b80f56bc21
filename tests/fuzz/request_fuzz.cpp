// SPDX-License-Identifier: Apache-2.0
// Any text as a request to the enforcer and as its report: understood or a fault, and what is understood
// survives another round.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "enforcer/request.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace allocd::enforcer;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = parse_request(text)) {
    const auto again = parse_request(render_request(*request));
    if (!again || *again != *request) std::abort();
  } else if (request.error().message().empty()) {
    std::abort();
  }
  if (const auto report = parse_report(text)) {
    const auto again = parse_report(render_report(*report));
    if (!again || *again != *report) std::abort();
  } else if (report.error().message().empty()) {
    std::abort();
  }
  return 0;
}
