// SPDX-License-Identifier: Apache-2.0
// ELF files as distributions build them, and the same files with bytes changed.
#include "preflight/elf_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <random>

#include "tree.hpp"

using namespace allocd;
using preflight::ElfFile;
using preflight::ElfOutcome;

namespace {

const std::string kJemalloc = test::kLibraries + "libjemalloc.so.2";

// A file that is nothing but these bytes.
base::UniqueFd file_of(std::string_view bytes) {
  base::UniqueFd fd(::memfd_create("bytes", MFD_CLOEXEC));
  REQUIRE(fd);
  REQUIRE(::write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  return fd;
}

ElfOutcome outcome_of(std::string_view bytes) {
  const auto fd = file_of(bytes);
  const auto file = ElfFile::read(fd.get());
  REQUIRE_FALSE(file.has_value());
  return file.error();
}

template <typename T>
void patch(std::string& bytes, std::size_t offset, T value) {
  REQUIRE(offset + sizeof value <= bytes.size());
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

template <typename T>
T peek(const std::string& bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// Offset of the program header of that type.
std::size_t header_of(const std::string& bytes, std::uint32_t type) {
  const auto elf = peek<Elf64_Ehdr>(bytes, 0);
  for (std::size_t i = 0; i < elf.e_phnum; ++i) {
    const std::size_t at = elf.e_phoff + i * sizeof(Elf64_Phdr);
    if (peek<Elf64_Phdr>(bytes, at).p_type == type) return at;
  }
  FAIL("no such program header");
  return 0;
}

}  // namespace

TEST_CASE("a distribution's library is read as readelf reads it") {
  const base::UniqueFd fd(::open(kJemalloc.c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(fd);
  const auto file = ElfFile::read(fd.get());
  REQUIRE(file.has_value());
  const auto& facts = file->facts();
  CHECK(facts.machine == preflight::native_machine());
  CHECK(facts.type == ET_DYN);
  CHECK(facts.soname == "libjemalloc.so.2");
  CHECK(facts.interpreter.empty());
  CHECK(facts.build_id.size() == 40);
  CHECK(facts.max_page >= 4096);
  CHECK(std::ranges::find(facts.needed, "libc.so.6") != facts.needed.end());
  CHECK(file->defines("malloc"));
  CHECK(file->defines("mallctl"));
  CHECK_FALSE(file->defines("mmap"));  // used, not defined
  CHECK_FALSE(file->defines("no such symbol"));
}

TEST_CASE("a program names its dynamic linker") {
  const base::UniqueFd fd(::open("/bin/true", O_RDONLY | O_CLOEXEC));
  const auto file = ElfFile::read(fd.get());
  REQUIRE(file.has_value());
  CHECK(file->facts().interpreter.find("ld-linux") != std::string::npos);
  CHECK_FALSE(file->defines("malloc"));
}

TEST_CASE("what is no ELF file, or another kind of it, is named") {
  auto bytes = test::read_bytes(kJemalloc);
  CHECK(outcome_of("") == ElfOutcome::not_elf);
  CHECK(outcome_of("\177ELF") == ElfOutcome::not_elf);
  CHECK(outcome_of("/* GNU ld script */ GROUP ( /lib/libc.so.6 )") == ElfOutcome::not_elf);
  auto changed = bytes;
  changed[EI_CLASS] = ELFCLASS32;
  CHECK(outcome_of(changed) == ElfOutcome::wrong_class);
  changed = bytes;
  changed[EI_DATA] = static_cast<char>(bytes[EI_DATA] == ELFDATA2LSB ? ELFDATA2MSB : ELFDATA2LSB);
  CHECK(outcome_of(changed) == ElfOutcome::wrong_class);
  CHECK(outcome_of(bytes.substr(0, 40)) == ElfOutcome::damaged);
}

TEST_CASE("a machine is read where both word sizes keep it") {
  auto bytes = test::read_bytes(kJemalloc);
  patch<std::uint16_t>(bytes, offsetof(Elf64_Ehdr, e_machine), EM_S390);
  const auto fd = file_of(bytes);
  const auto file = ElfFile::read(fd.get());
  REQUIRE(file.has_value());
  CHECK(preflight::machine_name(file->facts().machine) == "s390x");
  CHECK(preflight::machine_name(4711) == "machine 4711");
}

TEST_CASE("a file that was cut short is damaged, wherever it was cut") {
  const auto bytes = test::read_bytes(kJemalloc);
  const auto elf = peek<Elf64_Ehdr>(bytes, 0);
  std::size_t needed = 0;  // of the file, for what is mapped
  for (std::size_t i = 0; i < elf.e_phnum; ++i) {
    const auto segment = peek<Elf64_Phdr>(bytes, elf.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type == PT_LOAD) needed = std::max(needed, segment.p_offset + segment.p_filesz);
  }
  for (std::size_t length = EI_NIDENT; length < needed; length += 1 + length / 7) {
    INFO(length);
    CHECK(outcome_of(std::string_view(bytes).substr(0, length)) == ElfOutcome::damaged);
  }
  CHECK(outcome_of(std::string_view(bytes).substr(0, needed - 1)) == ElfOutcome::damaged);
}

TEST_CASE("headers that contradict themselves are damaged") {
  const auto original = test::read_bytes(kJemalloc);
  auto bytes = original;
  SECTION("more program headers than any file has") {
    patch<std::uint16_t>(bytes, offsetof(Elf64_Ehdr, e_phnum), 0xFFFF);
  }
  SECTION("program headers of another size") {
    patch<std::uint16_t>(bytes, offsetof(Elf64_Ehdr, e_phentsize), 1);
  }
  SECTION("program headers past the end") {
    patch<std::uint64_t>(bytes, offsetof(Elf64_Ehdr, e_phoff), ~0ULL - 8);
  }
  SECTION("a segment that wraps around") {
    patch<std::uint64_t>(bytes, header_of(bytes, PT_LOAD) + offsetof(Elf64_Phdr, p_offset), ~0ULL - 100);
  }
  SECTION("a segment smaller in memory than in the file") {
    patch<std::uint64_t>(bytes, header_of(bytes, PT_LOAD) + offsetof(Elf64_Phdr, p_memsz), 1);
  }
  SECTION("an alignment that is no power of two") {
    patch<std::uint64_t>(bytes, header_of(bytes, PT_LOAD) + offsetof(Elf64_Phdr, p_align), 4097);
  }
  SECTION("a dynamic section that lies nowhere") {
    patch<std::uint64_t>(bytes, header_of(bytes, PT_DYNAMIC) + offsetof(Elf64_Phdr, p_vaddr), 1ULL << 50U);
  }
  SECTION("a name that lies nowhere") {
    const auto dynamic = peek<Elf64_Phdr>(bytes, header_of(bytes, PT_DYNAMIC));
    for (std::size_t at = dynamic.p_offset; at < dynamic.p_offset + dynamic.p_filesz;
         at += sizeof(Elf64_Dyn)) {
      if (peek<Elf64_Dyn>(bytes, at).d_tag == DT_NEEDED) {
        patch<std::uint64_t>(bytes, at + offsetof(Elf64_Dyn, d_un), 1ULL << 40U);
      }
    }
  }
  CHECK(outcome_of(bytes) == ElfOutcome::damaged);
}

TEST_CASE("the page size a library allows is that of its tightest segment") {
  auto bytes = test::read_bytes(kJemalloc);
  patch<std::uint64_t>(bytes, header_of(bytes, PT_LOAD) + offsetof(Elf64_Phdr, p_align), 1024);
  const auto fd = file_of(bytes);
  const auto file = ElfFile::read(fd.get());
  REQUIRE(file.has_value());
  CHECK(file->facts().max_page == 1024);
}

TEST_CASE("random damage to headers and tables is never more than an outcome") {
  const auto original = test::read_bytes(kJemalloc);
  const unsigned seed = GENERATE(take(3, random(1U, 1000000U)));
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 200; ++i) {
    auto bytes = original;
    for (int change = 0; change < 8; ++change) {
      bytes[random() % (random() % 2 == 0 ? 0x1000 : 0x20000)] = static_cast<char>(random());
    }
    const auto fd = file_of(bytes);
    const auto file = ElfFile::read(fd.get());
    if (!file) continue;
    CHECK(file->facts().needed.size() <= 256);
    static_cast<void>(file->defines("malloc"));
  }
}
