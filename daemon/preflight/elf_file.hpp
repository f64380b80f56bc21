// SPDX-License-Identifier: Apache-2.0
// An ELF file on disk: what a dynamic linker would find out before it maps the first page.
//
// 64-bit, this machine's byte order; anything else is a named outcome. Every count, size and offset comes
// from the file and is not believed: reads are bounded, and a segment that reaches past the end of the file
// is `damaged` (mapped, it would be SIGBUS in a service). System V ABI, gABI chapters 4 and 5.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "allocator/elf_image.hpp"
#include "allocator/memory_reader.hpp"

namespace allocd::preflight {

enum class ElfOutcome { unreadable, not_elf, wrong_class, damaged };

struct ElfFacts {
  std::uint16_t machine = 0;   // EM_...
  std::uint16_t type = 0;      // ET_...
  std::uint64_t max_page = 0;  // the largest page size its segments allow; 0 without any
  std::string interpreter;     // PT_INTERP, "" when there is none
  std::string soname;
  std::vector<std::string> needed;
  std::string build_id;  // lower-case hex, "" when it has none
  bool is_dynamic = false;
};

class ElfFile {
 public:
  // Reads from `fd`, which must stay open as long as the object.
  [[nodiscard]] static std::expected<ElfFile, ElfOutcome> read(int fd);

  [[nodiscard]] const ElfFacts& facts() const { return facts_; }
  // Whether it defines `symbol` for others.
  [[nodiscard]] bool defines(const char* symbol) const;

 private:
  // The file as memory: link addresses, answered from the segments that would be mapped there.
  class Segments final : public allocator::MemoryReader {
   public:
    Segments(int fd, std::span<const Elf64_Phdr> segments) : fd_(fd), segments_(segments) {}
    [[nodiscard]] std::size_t read_some(std::uint64_t address, std::span<std::byte> out) override;
    [[nodiscard]] int last_error() const override { return error_; }

   private:
    int fd_;
    std::span<const Elf64_Phdr> segments_;
    int error_ = 0;
  };

  explicit ElfFile(int fd) : fd_(fd) {}
  [[nodiscard]] bool check_segments(std::uint64_t file_size);
  [[nodiscard]] bool read_dynamic(const Elf64_Phdr& segment);
  void read_notes();

  int fd_;
  std::vector<Elf64_Phdr> segments_;
  allocator::DynamicSection dynamic_;
  ElfFacts facts_;
};

// EM_... of the programs of this host.
[[nodiscard]] std::uint16_t native_machine();
// "x86-64", "arm64", or the number.
[[nodiscard]] std::string machine_name(std::uint16_t machine);

}  // namespace allocd::preflight
