// SPDX-License-Identifier: Apache-2.0
// The one place that knows which Catch2 this is: v2 in Debian 12, v3 elsewhere. Both must build.
#pragma once
#ifdef ALLOCD_CATCH2_V3
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
