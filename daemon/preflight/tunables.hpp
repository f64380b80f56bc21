// SPDX-License-Identifier: Apache-2.0
// Whether glibc would take a GLIBC_TUNABLES value: it ignores an unknown name or a value out of range without
// a word, so that no canary can tell. `name=value:name=value`; the names of malloc, elf/dl-tunables.list of
// glibc 2.34 to 2.41. Pure.
#pragma once

#include <string_view>

#include "preflight/reason.hpp"

namespace allocd::preflight {

// `glibc_minor`: 36 for glibc 2.36.
[[nodiscard]] Finding decide_tunables(std::string_view value, unsigned glibc_minor);

// Of the C library this program runs on, which is the services' unless they bring their own root.
[[nodiscard]] unsigned own_glibc_minor();

}  // namespace allocd::preflight
