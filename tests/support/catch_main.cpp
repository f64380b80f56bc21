// SPDX-License-Identifier: Apache-2.0
#ifdef ALLOCD_CATCH2_V3
// Catch2WithMain brings main().
namespace allocd::test {
void catch_main_is_linked() {
}
}  // namespace allocd::test
#else
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
