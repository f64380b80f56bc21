// SPDX-License-Identifier: Apache-2.0
// Settings from text, and what is said about bad ones, as tests like to write them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "settings/load.hpp"
#include "support/catch.hpp"

namespace allocd::test {

inline settings::Loaded load_text(std::string_view text) {
  return settings::parse_settings({{"allocd.yaml", std::string(text)}});
}

// All problems of one file called allocd.yaml as a person sees them; "" when it is good.
inline std::string report(std::string_view text) {
  const auto loaded = load_text(text);
  return loaded ? "" : settings::render_problems(loaded.error());
}

inline std::string report(const std::vector<settings::SourceText>& sources) {
  const auto loaded = settings::parse_settings(sources);
  return loaded ? "" : settings::render_problems(loaded.error());
}

inline settings::Settings good(std::string_view text) {
  const auto loaded = load_text(text);
  if (!loaded) FAIL(settings::render_problems(loaded.error()));
  return *loaded;
}

}  // namespace allocd::test
