// SPDX-License-Identifier: Apache-2.0
// An ELF object as it lies in a process's memory: program headers, dynamic section, build-id, symbols.
//
// 64-bit, this machine's byte order; anything else is a named outcome. Every count, size and address comes
// from the watched process and is not believed: reads are bounded and no address is followed twice.
// System V ABI, gABI chapters 4 and 5; the GNU hash section as glibc's dl-lookup.c reads it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "allocator/memory_reader.hpp"

namespace allocd::allocator {

enum class ImageError {
  unreadable,     // the memory could not be read; MemoryReader::last_error says why
  not_elf,        // no ELF header where the file says one is
  foreign_class,  // a 32-bit or other-endian program
};

struct ImageHeader {
  std::uint64_t bias = 0;         // load address minus link address
  std::uint64_t dynamic = 0;      // address of the dynamic section, 0 when there is none
  std::uint64_t interpreter = 0;  // address of the PT_INTERP string, 0 when there is none
  std::uint64_t notes = 0;        // the first PT_NOTE that could be the build-id's
  std::uint64_t notes_size = 0;
};

// The header of the object whose offset 0 is mapped at `base`.
[[nodiscard]] std::expected<ImageHeader, ImageError> read_image_header(MemoryReader& memory,
                                                                       std::uint64_t base);

// NT_GNU_BUILD_ID as lower-case hex, "" when there is none or it cannot be read.
[[nodiscard]] std::string read_build_id(MemoryReader& memory, const ImageHeader& header);

// Addresses from a dynamic section; 0 for an absent entry.
struct DynamicSection {
  std::uint64_t symbols = 0;
  std::uint64_t strings = 0;
  std::uint64_t strings_size = 0;
  std::uint64_t gnu_hash = 0;
  std::uint64_t sysv_hash = 0;
  std::uint64_t debug = 0;  // DT_DEBUG's value: address of the r_debug structure, once the linker has run
};

[[nodiscard]] std::optional<DynamicSection> read_dynamic_section(MemoryReader& memory, std::uint64_t address,
                                                                 std::uint64_t bias);

// Run-time address of the function or object `name` that the object defines for others; nothing when it does
// not.
[[nodiscard]] std::optional<std::uint64_t> find_definition(MemoryReader& memory,
                                                           const DynamicSection& dynamic, std::uint64_t bias,
                                                           std::string_view name);

}  // namespace allocd::allocator
