// SPDX-License-Identifier: Apache-2.0
// Which allocator a library is: by what it defines, and by its name where nothing else can be read.
// Pure.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "allocator/kind.hpp"

namespace allocd::allocator {

// Whether the object defines the named symbol for others.
using Defines = std::function<bool(const char* symbol)>;

// The allocator behind an object that defines `malloc`. Renamed files are told by their own extra symbols;
// an object that is none of the known ones (a profiler's interposer, a sanitizer) is `other`.
[[nodiscard]] Kind decide_definer_kind(std::string_view path, const Defines& defines);

// By file name alone: "libjemalloc.so.2". Nothing when the name is not an allocator's.
[[nodiscard]] std::optional<Kind> decide_kind_by_name(std::string_view path);

// Whether the file name is that of a C library or dynamic linker ("libc.so.6", "ld-musl-x86_64.so.1").
[[nodiscard]] bool is_c_library_name(std::string_view path);
[[nodiscard]] bool is_dynamic_linker_name(std::string_view path);

[[nodiscard]] std::string_view base_name(std::string_view path);

}  // namespace allocd::allocator
