// SPDX-License-Identifier: Apache-2.0
#include "allocator/library.hpp"

#include "allocator/elf_image.hpp"
#include "allocator/on_disk.hpp"
#include "kernel/maps.hpp"
#include "kernel/procmap_query.hpp"

namespace allocd::allocator {

namespace {

constexpr std::string_view kDeleted = " (deleted)";

std::string read_mapped_build_id(MemoryReader& memory, std::uint64_t base) {
  const auto header = read_image_header(memory, base);
  return header ? read_build_id(memory, *header) : std::string();
}

}  // namespace

std::string_view library_path(std::string_view kernel_path) {
  if (kernel_path.ends_with(kDeleted)) kernel_path.remove_suffix(kDeleted.size());
  return kernel_path;
}

Library complete_library(int process_directory, int maps_fd, MemoryReader& memory,
                         const PendingLibrary& pending) {
  Library library = pending.library;
  if (pending.file == nullptr || pending.base == 0) return library;
  std::string name = kernel::unescape_maps_path(pending.file->path);
  if (auto owner = kernel::query_owning_file(maps_fd, pending.base)) {
    if (!owner->name.empty()) name = owner->name;
    library.build_id = owner->build_id;
  }
  if (library.build_id.empty()) library.build_id = read_mapped_build_id(memory, pending.base);
  const DiskFile on_disk = find_on_disk(process_directory, name, pending.file->inode);
  library.path = on_disk.path;
  library.on_disk = on_disk.state;
  // Another inode with the same build-id is the same library: a reinstall, or overlayfs showing two numbers.
  if (on_disk.state == OnDisk::replaced && !library.build_id.empty() &&
      read_file_build_id(process_directory, on_disk.path) == library.build_id) {
    library.on_disk = OnDisk::current;
  }
  return library;
}

}  // namespace allocd::allocator
