// SPDX-License-Identifier: Apache-2.0
#include "preflight/elf_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace allocd::preflight {

namespace {

constexpr std::size_t kMaxProgramHeaders = 512;
constexpr std::size_t kMaxDynamicEntries = 4096;
constexpr std::size_t kMaxNeeded = 256;
constexpr std::uint64_t kMaxOffset = std::uint64_t{1} << 62U;
constexpr unsigned char kNativeData = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

constexpr std::array<std::pair<std::uint16_t, const char*>, 7> kMachines{{{EM_X86_64, "x86-64"},
                                                                          {EM_386, "32-bit x86"},
                                                                          {EM_AARCH64, "arm64"},
                                                                          {EM_ARM, "32-bit arm"},
                                                                          {EM_PPC64, "ppc64"},
                                                                          {EM_S390, "s390x"},
                                                                          {EM_RISCV, "riscv"}}};

// False when fewer bytes are there, or they cannot be read (`error` is then set).
bool read_at(int fd, std::uint64_t offset, std::span<std::byte> out, int& error) {
  std::size_t done = 0;
  error = 0;
  while (done < out.size()) {
    const ssize_t count =
        ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      error = count < 0 ? errno : 0;
      return false;
    }
    done += static_cast<std::size_t>(count);
  }
  return true;
}

std::expected<Elf64_Ehdr, ElfOutcome> read_header(int fd) {
  int error = 0;
  std::array<unsigned char, EI_NIDENT> ident{};
  if (!read_at(fd, 0, std::as_writable_bytes(std::span(ident)), error)) {
    return std::unexpected(error != 0 ? ElfOutcome::unreadable : ElfOutcome::not_elf);
  }
  if (std::memcmp(ident.data(), ELFMAG, SELFMAG) != 0) return std::unexpected(ElfOutcome::not_elf);
  if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != kNativeData) {
    return std::unexpected(ElfOutcome::wrong_class);
  }
  Elf64_Ehdr header;
  if (!read_at(fd, 0, std::as_writable_bytes(std::span(&header, 1)), error) ||
      header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMaxProgramHeaders ||
      header.e_phoff > kMaxOffset) {
    return std::unexpected(ElfOutcome::damaged);
  }
  return header;
}

}  // namespace

std::size_t ElfFile::Segments::read_some(std::uint64_t address, std::span<std::byte> out) {
  error_ = EFAULT;
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
        address - segment.p_vaddr >= segment.p_filesz) {
      continue;
    }
    const std::uint64_t inside = address - segment.p_vaddr;
    const std::size_t count = std::min<std::uint64_t>(out.size(), segment.p_filesz - inside);
    if (!read_at(fd_, segment.p_offset + inside, out.first(count), error_)) return 0;
    return count;
  }
  return 0;
}

bool ElfFile::check_segments(std::uint64_t file_size) {
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type == PT_NULL) continue;
    if (segment.p_filesz > file_size || segment.p_offset > file_size - segment.p_filesz) return false;
    if (segment.p_type != PT_LOAD) continue;
    const std::uint64_t apart = segment.p_vaddr - segment.p_offset;
    if (segment.p_memsz < segment.p_filesz || segment.p_vaddr > kMaxOffset) return false;
    if (segment.p_align > 1 && !std::has_single_bit(segment.p_align)) return false;
    // It can be mapped with pages up to its alignment, as far as address and offset agree to that.
    std::uint64_t page = std::max<std::uint64_t>(segment.p_align, 1);
    if (apart != 0) page = std::min(page, std::uint64_t{1} << static_cast<unsigned>(std::countr_zero(apart)));
    facts_.max_page = facts_.max_page == 0 ? page : std::min(facts_.max_page, page);
  }
  return true;
}

bool ElfFile::read_dynamic(const Elf64_Phdr& segment) {
  Segments memory(fd_, segments_);
  facts_.is_dynamic = true;
  const auto section = allocator::read_dynamic_section(memory, segment.p_vaddr, 0);
  if (!section) return false;
  dynamic_ = *section;
  for (std::size_t i = 0; i < kMaxDynamicEntries; ++i) {
    const auto entry = memory.read_value<Elf64_Dyn>(segment.p_vaddr + i * sizeof(Elf64_Dyn));
    if (!entry) return false;
    if (entry->d_tag == DT_NULL) return true;
    if (entry->d_tag != DT_NEEDED && entry->d_tag != DT_SONAME) continue;
    auto text = memory.read_string(dynamic_.strings + entry->d_un.d_val);
    if (!text || facts_.needed.size() >= kMaxNeeded) return false;
    if (entry->d_tag == DT_SONAME) {
      facts_.soname = std::move(*text);
    } else {
      facts_.needed.push_back(std::move(*text));
    }
  }
  return false;
}

void ElfFile::read_notes() {
  Segments memory(fd_, segments_);
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type != PT_NOTE || segment.p_align > 4 || !facts_.build_id.empty()) continue;
    allocator::ImageHeader header;
    header.notes = segment.p_vaddr;
    header.notes_size = std::min<std::uint64_t>(segment.p_filesz, 4096);
    facts_.build_id = allocator::read_build_id(memory, header);
  }
}

std::expected<ElfFile, ElfOutcome> ElfFile::read(int fd) {
  const auto header = read_header(fd);
  if (!header) return std::unexpected(header.error());
  ElfFile file(fd);
  file.facts_.machine = header->e_machine;
  file.facts_.type = header->e_type;
  file.segments_.resize(header->e_phnum);
  struct stat status{};
  int error = 0;
  if (::fstat(fd, &status) != 0) return std::unexpected(ElfOutcome::unreadable);
  if (!read_at(fd, header->e_phoff, std::as_writable_bytes(std::span(file.segments_)), error) ||
      !file.check_segments(static_cast<std::uint64_t>(status.st_size))) {
    return std::unexpected(error != 0 ? ElfOutcome::unreadable : ElfOutcome::damaged);
  }
  for (const Elf64_Phdr& segment : file.segments_) {
    if (segment.p_type == PT_DYNAMIC && !file.read_dynamic(segment))
      return std::unexpected(ElfOutcome::damaged);
    if (segment.p_type != PT_INTERP) continue;
    auto interpreter = Segments(fd, file.segments_).read_string(segment.p_vaddr);
    if (!interpreter) return std::unexpected(ElfOutcome::damaged);
    file.facts_.interpreter = std::move(*interpreter);
  }
  file.read_notes();
  return file;
}

bool ElfFile::defines(const char* symbol) const {
  Segments memory(fd_, segments_);
  return facts_.is_dynamic && allocator::find_definition(memory, dynamic_, 0, symbol).has_value();
}

std::uint16_t native_machine() {
#if defined(__x86_64__)
  return EM_X86_64;
#elif defined(__aarch64__)
  return EM_AARCH64;
#elif defined(__powerpc64__)
  return EM_PPC64;
#elif defined(__s390x__)
  return EM_S390;
#elif defined(__riscv)
  return EM_RISCV;
#else
#error "say which EM_ constant this machine's programs carry"
#endif
}

std::string machine_name(std::uint16_t machine) {
  for (const auto& [number, name] : kMachines) {
    if (number == machine) return name;
  }
  return fmt::format("machine {}", machine);
}

}  // namespace allocd::preflight
