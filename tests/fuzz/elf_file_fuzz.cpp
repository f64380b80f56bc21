// SPDX-License-Identifier: Apache-2.0
// Any bytes as a library on disk: never a crash, facts within their bounds, and both readers of a build-id in
// bounds too.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "allocator/on_disk.hpp"
#include "base/unique_fd.hpp"
#include "preflight/elf_file.hpp"
#include "support/memory_file.hpp"

using allocd::preflight::ElfFile;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_hex(const std::string& text) {
  return text.find_first_not_of("0123456789abcdef") == std::string::npos && text.size() % 2 == 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const allocd::test::MemoryFile file;
  file.write(data, size);
  const auto read = ElfFile::read(file.fd());
  if (read) {
    require(size >= sizeof(Elf64_Ehdr));
    const auto& facts = read->facts();
    require(facts.needed.size() <= 256 && is_hex(facts.build_id));
    if (!facts.is_dynamic) require(facts.needed.empty() && facts.soname.empty() && !read->defines("malloc"));
    for (const char* symbol : {"malloc", "mallctl", ""}) static_cast<void>(read->defines(symbol));
  }
  require(is_hex(allocd::allocator::read_file_build_id(file.process_directory(), file.path())));
  return 0;
}
