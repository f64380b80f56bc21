// SPDX-License-Identifier: Apache-2.0
// Any text as the state file of a unit: a history or a fault, what is accepted survives another round, and
// goes on without harm.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "drift/state_text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace allocd::drift;
  constexpr std::string_view kUnit = "a.service";
  auto parsed = parse_state({reinterpret_cast<const char*>(data), size}, kUnit);
  if (!parsed) {
    if (parsed.error().cause.empty()) std::abort();
    return 0;
  }
  const auto text = render_state(*parsed);
  const auto again = parse_state(text, kUnit);
  if (!again || render_state(*again) != text || !(again->life() == parsed->life())) std::abort();
  const auto key = parsed->facts().key.value_or(LifeKey{"b", 1, 1});
  for (const double uptime : {1.0, 5e5, 5e5 + 4000, 1e11}) {
    (void)parsed->feed(key, 1e9, {.uptime = uptime, .memory = 1e9});
    (void)parsed->report();
  }
  return 0;
}
