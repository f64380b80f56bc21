// SPDX-License-Identifier: Apache-2.0
// Any bytes as a settings file: no crash, no exception, no problem that points outside of the file.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "settings/load.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const auto loaded = allocd::settings::parse_settings({{"fuzz.yaml", text}});
  if (loaded) return 0;
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const auto& problem : loaded.error()) {
    if (problem.message.empty() || problem.position.line > lines) std::abort();
    if (problem.position.column > static_cast<int>(problem.source_line.size()) + 1) std::abort();
  }
  static_cast<void>(allocd::settings::render_problems(loaded.error()));
  return 0;
}
