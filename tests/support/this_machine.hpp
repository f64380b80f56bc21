// SPDX-License-Identifier: Apache-2.0
// Where the architecture the tests were built for keeps its libraries and its dynamic linker (Debian).
#pragma once

#include <string>

namespace allocd::test {

#if defined(__x86_64__)
inline const std::string kLibraries = "/usr/lib/x86_64-linux-gnu/";
inline const std::string kDynamicLinker = "ld-linux-x86-64.so.2";
inline const std::string kDynamicLinkerPath = "/lib64/" + kDynamicLinker;
#else
inline const std::string kLibraries = "/usr/lib/aarch64-linux-gnu/";
inline const std::string kDynamicLinker = "ld-linux-aarch64.so.1";
inline const std::string kDynamicLinkerPath = "/lib/" + kDynamicLinker;
#endif

}  // namespace allocd::test
