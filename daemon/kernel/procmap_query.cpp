// SPDX-License-Identifier: Apache-2.0
#include "kernel/procmap_query.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <array>
#include <climits>
#include <cstring>
#include <iterator>

namespace allocd::kernel {

namespace {

// Debian 12's headers (6.1) do not have it yet. Layout: include/uapi/linux/fs.h of Linux 6.11, 104 bytes.
struct ProcmapQuery {
  std::uint64_t size;
  std::uint64_t query_flags;
  std::uint64_t query_addr;
  std::uint64_t vma_start;
  std::uint64_t vma_end;
  std::uint64_t vma_flags;
  std::uint64_t vma_page_size;
  std::uint64_t vma_offset;
  std::uint64_t inode;
  std::uint32_t dev_major;
  std::uint32_t dev_minor;
  std::uint32_t vma_name_size;
  std::uint32_t build_id_size;
  std::uint64_t vma_name_addr;
  std::uint64_t build_id_addr;
};
static_assert(sizeof(ProcmapQuery) == 104);

constexpr std::uint64_t kFileBacked = 0x20;  // PROCMAP_QUERY_FILE_BACKED_VMA
constexpr unsigned long kRequest = _IOWR('f', 17, ProcmapQuery);
constexpr std::size_t kMaxBuildId = 20;

}  // namespace

std::optional<OwningFile> query_owning_file(int maps_fd, std::uint64_t address) {
  std::array<char, PATH_MAX> name{};
  std::array<unsigned char, kMaxBuildId> build_id{};
  ProcmapQuery query{};
  query.size = sizeof(query);
  query.query_flags = kFileBacked;
  query.query_addr = address;
  query.vma_name_size = static_cast<std::uint32_t>(name.size());
  query.vma_name_addr = reinterpret_cast<std::uint64_t>(name.data());
  query.build_id_size = static_cast<std::uint32_t>(build_id.size());
  query.build_id_addr = reinterpret_cast<std::uint64_t>(build_id.data());
  if (::ioctl(maps_fd, kRequest, &query) != 0) return std::nullopt;
  OwningFile file;
  if (query.vma_name_size > 0) file.name.assign(name.data(), strnlen(name.data(), query.vma_name_size));
  for (std::size_t i = 0; i < query.build_id_size && i < build_id.size(); ++i) {
    fmt::format_to(std::back_inserter(file.build_id), "{:02x}", build_id.at(i));
  }
  return file;
}

}  // namespace allocd::kernel
