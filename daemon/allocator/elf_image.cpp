// SPDX-License-Identifier: Apache-2.0
#include "allocator/elf_image.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <span>
#include <vector>

namespace allocd::allocator {

namespace {

constexpr std::size_t kMaxProgramHeaders = 256;
constexpr std::size_t kMaxDynamicEntries = 1024;
constexpr std::uint64_t kMaxNotes = 4096;
constexpr std::uint64_t kPage = 4096;
constexpr unsigned char kNativeData = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

bool has_magic(const Elf64_Ehdr& header) {
  return std::equal(header.e_ident, header.e_ident + SELFMAG, reinterpret_cast<const unsigned char*>(ELFMAG));
}

// glibc rewrites the pointers of a dynamic section to run-time addresses; musl and the vDSO leave link
// addresses.
std::uint64_t to_address(std::uint64_t pointer, std::uint64_t bias) {
  return pointer < bias ? pointer + bias : pointer;
}

void note_segment(const Elf64_Phdr& segment, ImageHeader& header) {
  if (segment.p_type == PT_DYNAMIC) header.dynamic = segment.p_vaddr;
  if (segment.p_type == PT_INTERP) header.interpreter = segment.p_vaddr;
  // Linkers put .note.gnu.property in a PT_NOTE of its own (8-byte aligned); the build-id is in the other.
  const bool better = header.notes == 0 || segment.p_align == 4;
  if (segment.p_type == PT_NOTE && better) {
    header.notes = segment.p_vaddr;
    header.notes_size = std::min<std::uint64_t>(segment.p_filesz, kMaxNotes);
  }
}

}  // namespace

std::expected<ImageHeader, ImageError> read_image_header(MemoryReader& memory, std::uint64_t base) {
  const auto elf = memory.read_value<Elf64_Ehdr>(base);
  if (!elf) return std::unexpected(ImageError::unreadable);
  if (!has_magic(*elf)) return std::unexpected(ImageError::not_elf);
  if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_ident[EI_DATA] != kNativeData ||
      elf->e_phentsize != sizeof(Elf64_Phdr)) {
    return std::unexpected(ImageError::foreign_class);
  }
  std::vector<Elf64_Phdr> segments(std::min<std::size_t>(elf->e_phnum, kMaxProgramHeaders));
  if (!memory.read(base + elf->e_phoff, std::as_writable_bytes(std::span(segments)))) {
    return std::unexpected(ImageError::unreadable);
  }
  ImageHeader header;
  std::optional<std::uint64_t> link_base;  // link address of offset 0
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_LOAD && !link_base)
      link_base = (segment.p_vaddr - segment.p_offset) & ~(kPage - 1);
    note_segment(segment, header);
  }
  header.bias = base - link_base.value_or(0);
  for (std::uint64_t* address : {&header.dynamic, &header.interpreter, &header.notes}) {
    if (*address != 0) *address += header.bias;
  }
  return header;
}

std::string read_build_id(MemoryReader& memory, const ImageHeader& header) {
  std::vector<std::byte> notes(header.notes_size);
  if (header.notes == 0 || !memory.read(header.notes, notes)) return {};
  std::size_t at = 0;
  while (at + sizeof(Elf64_Nhdr) <= notes.size()) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes.data() + at, sizeof(note));
    const std::size_t name = at + sizeof(note);
    const std::size_t content = name + ((std::size_t{note.n_namesz} + 3) & ~std::size_t{3});
    const std::size_t end = content + note.n_descsz;
    if (end > notes.size()) return {};
    const bool is_gnu = note.n_namesz == 4 && std::memcmp(notes.data() + name, "GNU", 4) == 0;
    if (note.n_type == NT_GNU_BUILD_ID && is_gnu) {
      std::string hex;
      for (std::size_t i = content; i < end; ++i) {
        fmt::format_to(std::back_inserter(hex), "{:02x}", std::to_integer<unsigned>(notes[i]));
      }
      return hex;
    }
    at = (end + 3) & ~std::size_t{3};
  }
  return {};
}

std::optional<DynamicSection> read_dynamic_section(MemoryReader& memory, std::uint64_t address,
                                                   std::uint64_t bias) {
  DynamicSection section;
  std::array<Elf64_Dyn, 32> chunk{};
  for (std::size_t seen = 0; seen < kMaxDynamicEntries;) {
    const std::size_t bytes =
        memory.read_some(address + seen * sizeof(Elf64_Dyn), std::as_writable_bytes(std::span(chunk)));
    const std::size_t count = bytes / sizeof(Elf64_Dyn);
    if (count == 0) return std::nullopt;
    for (const Elf64_Dyn& entry : std::span(chunk).first(count)) {
      switch (entry.d_tag) {
        case DT_NULL:
          return section;
        case DT_SYMTAB:
          section.symbols = to_address(entry.d_un.d_ptr, bias);
          break;
        case DT_STRTAB:
          section.strings = to_address(entry.d_un.d_ptr, bias);
          break;
        case DT_STRSZ:
          section.strings_size = entry.d_un.d_val;
          break;
        case DT_GNU_HASH:
          section.gnu_hash = to_address(entry.d_un.d_ptr, bias);
          break;
        case DT_HASH:
          section.sysv_hash = to_address(entry.d_un.d_ptr, bias);
          break;
        case DT_DEBUG:
          section.debug = entry.d_un.d_ptr;
          break;
        default:
          break;
      }
    }
    seen += count;
  }
  return std::nullopt;
}

}  // namespace allocd::allocator
