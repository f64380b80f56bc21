// SPDX-License-Identifier: Apache-2.0
#include "base/build_facts.hpp"

namespace allocd::base {

namespace {

#ifdef __clang__
constexpr std::string_view kCompiler = "clang " __clang_version__;
#else
constexpr std::string_view kCompiler = "gcc " __VERSION__;
#endif

}  // namespace

std::string_view build_revision() {
  return ALLOCD_REVISION;
}

std::string_view build_compiler() {
  // Name and number; what a distribution writes behind them varies with its own builds.
  return kCompiler.substr(0, kCompiler.find(' ', kCompiler.find(' ') + 1));
}

}  // namespace allocd::base
