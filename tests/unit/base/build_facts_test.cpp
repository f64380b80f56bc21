// SPDX-License-Identifier: Apache-2.0
#include "base/build_facts.hpp"

#include <algorithm>
#include <cctype>

#include "support/catch.hpp"

namespace base = allocd::base;

TEST_CASE("a build knows its revision and its compiler, each fit for a label") {
  const auto revision = base::build_revision();
  CHECK_FALSE(revision.empty());
  CHECK(std::ranges::all_of(
      revision, [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_'; }));
  const auto compiler = base::build_compiler();
  CHECK((compiler.starts_with("gcc ") || compiler.starts_with("clang ")));
  CHECK(std::ranges::count(compiler, ' ') == 1);
  CHECK(std::isdigit(static_cast<unsigned char>(compiler.back())) != 0);
}
