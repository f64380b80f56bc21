// SPDX-License-Identifier: Apache-2.0
#include "allocator/on_disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <span>

#include "allocator/elf_image.hpp"
#include "allocator/memory_reader.hpp"
#include "base/unique_fd.hpp"

namespace allocd::allocator {

namespace {

constexpr std::string_view kDeleted = " (deleted)";

// The kernel gives a mapping's path with every link resolved, so that its root in front is enough.
// (openat2(2) with RESOLVE_IN_ROOT would be exact for a link put there since, and is closed by
// RestrictSUIDSGID=.)
base::UniqueFd open_below_root(int process_directory, const std::string& path, int flags) {
  return base::UniqueFd(::openat(process_directory, ("root" + path).c_str(), flags | O_CLOEXEC));
}

struct Look {
  int error = 0;
  std::uint64_t inode = 0;
};

Look look_at(int process_directory, const std::string& path) {
  const base::UniqueFd fd = open_below_root(process_directory, path, O_PATH);
  if (!fd) return {errno, 0};
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return {errno, 0};
  return {0, status.st_ino};
}

// A file on disk as memory laid out by file offset: enough for its headers and notes, nothing more.
class FileBytes final : public MemoryReader {
 public:
  explicit FileBytes(int fd) : fd_(fd) {}
  [[nodiscard]] std::size_t read_some(std::uint64_t address, std::span<std::byte> out) override {
    const ssize_t count = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(address));
    error_ = count < 0 ? errno : 0;
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  [[nodiscard]] int last_error() const override { return error_; }

 private:
  int fd_;
  int error_ = 0;
};

}  // namespace

DiskFile find_on_disk(int process_directory, const std::string& name, std::uint64_t inode) {
  if (name.empty() || name[0] != '/') return {name, OnDisk::unknown};  // "/memfd:" has a slash, no file
  const Look whole = look_at(process_directory, name);
  if (whole.error == 0 && whole.inode == inode) return {name, OnDisk::current};
  if (!name.ends_with(kDeleted)) {
    // No mark, another inode: a mount over it, or a file system that shows other numbers in maps (overlayfs).
    return {name, whole.error == 0 ? OnDisk::replaced : OnDisk::unknown};
  }
  const std::string path = name.substr(0, name.size() - kDeleted.size());
  const Look bare = look_at(process_directory, path);
  if (bare.error == 0) return {path, bare.inode == inode ? OnDisk::current : OnDisk::replaced};
  // The kernel says deleted; that we may not look (EACCES) does not unsay it.
  return {path, OnDisk::deleted};
}

std::string read_file_build_id(int process_directory, const std::string& path) {
  const base::UniqueFd fd = open_below_root(process_directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) return {};
  FileBytes bytes(fd.get());
  auto header = read_image_header(bytes, 0);
  if (!header) return {};
  // By file offset, not address: objects keep their notes in the first segment, where the two agree.
  header->notes -= header->bias;
  return read_build_id(bytes, *header);
}

}  // namespace allocd::allocator
