// SPDX-License-Identifier: Apache-2.0
// Comparison with a file of the tree. ALLOCD_UPDATE_GOLDEN=1 writes the files anew; read the diff.
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "support/catch.hpp"

namespace allocd::test {

// `path` is relative to tests/.
inline void check_golden(const std::string& path, const std::string& text) {
  const std::string full = std::string(ALLOCD_TESTS_DIR "/") + path;
  if (std::getenv("ALLOCD_UPDATE_GOLDEN") != nullptr) std::ofstream(full) << text;
  const std::ifstream file(full);
  INFO(full);
  REQUIRE(file.is_open());
  std::ostringstream expected;
  expected << file.rdbuf();
  CHECK(text == expected.str());
}

}  // namespace allocd::test
