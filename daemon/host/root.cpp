// SPDX-License-Identifier: Apache-2.0
#include "host/root.hpp"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <utility>

namespace allocd::host {

namespace {

// "/proc/1/maps" becomes "proc/1/maps"; "/" becomes ".".
std::string relative(std::string_view path) {
  const auto first = path.find_first_not_of('/');
  return first == std::string_view::npos ? "." : std::string(path.substr(first));
}

int read_fd_into(int fd, std::string& out, std::size_t limit) {
  // Kernel files want a big first read: seq_file fills at most the buffer it is given.
  constexpr std::size_t kStep = 4096;
  std::size_t used = 0;
  for (;;) {
    if (out.size() - used < kStep / 2) out.resize(std::max({out.capacity(), out.size() * 2, kStep}));
    const ssize_t count = ::read(fd, out.data() + used, out.size() - used);
    if (count < 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      out.clear();
      return error;
    }
    if (count == 0) {
      out.resize(used);
      return 0;
    }
    used += static_cast<std::size_t>(count);
    if (used > limit) {
      out.clear();
      return EFBIG;
    }
  }
}

}  // namespace

base::Result<std::string> read_all(int fd, std::string_view name_for_faults, std::size_t limit) {
  std::string content;
  if (const int error = read_fd_into(fd, content, limit); error != 0) {
    return base::fault_from_errno("read", name_for_faults, error);
  }
  return content;
}

base::Result<std::string> read_file_at(int directory_fd, const char* name, std::size_t limit) {
  std::string content;
  if (const int error = read_file_into(directory_fd, name, content, limit); error != 0) {
    return base::fault_from_errno("read", name, error);
  }
  return content;
}

int read_file_into(int directory_fd, const char* name, std::string& out, std::size_t limit) {
  const base::UniqueFd fd(::openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) {
    const int error = errno;
    out.clear();
    return error;
  }
  return read_fd_into(fd.get(), out, limit);
}

int read_again_into(int fd, std::string& out) {
  constexpr std::size_t kStep = 4096;
  std::size_t used = 0;
  for (;;) {
    out.resize(std::max(out.capacity(), used + kStep));
    const ssize_t count = ::pread(fd, out.data() + used, out.size() - used, static_cast<off_t>(used));
    if (count < 0 && errno == EINTR) continue;
    const int error = count < 0 ? errno : 0;
    used += count < 0 ? 0 : static_cast<std::size_t>(count);
    const bool is_full = used == out.size();
    if (error == 0 && is_full && used <= kDefaultFileLimit) continue;
    out.resize(error != 0 || is_full ? 0 : used);
    return is_full ? EFBIG : error;
  }
}

base::Result<Root> Root::open(const std::string& path) {
  base::UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return base::fault_from_errno("open the root", path, errno);
  return Root(std::move(fd));
}

base::Result<Root> Root::duplicate() const {
  base::UniqueFd fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!fd) return base::fault_from_errno("duplicate", "the root", errno);
  return Root(std::move(fd));
}

base::Result<base::UniqueFd> Root::open_directory(std::string_view path) const {
  base::UniqueFd fd(::openat(fd_.get(), relative(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return base::fault_from_errno("open", path, errno);
  return fd;
}

base::Result<base::UniqueFd> Root::open_file(std::string_view path) const {
  base::UniqueFd fd(::openat(fd_.get(), relative(path).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return base::fault_from_errno("open", path, errno);
  return fd;
}

base::Result<std::string> Root::read_file(std::string_view path, std::size_t limit) const {
  auto fd = open_file(path);
  if (!fd) return std::unexpected(fd.error());
  return read_all(fd->get(), path, limit);
}

base::Result<std::string> Root::read_link(std::string_view path) const {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlinkat(fd_.get(), relative(path).c_str(), target.data(), target.size());
  if (length < 0) return base::fault_from_errno("read the link", path, errno);
  return std::string(target.data(), static_cast<std::size_t>(length));
}

base::Result<struct stat> Root::status(std::string_view path) const {
  struct stat result{};
  if (::fstatat(fd_.get(), relative(path).c_str(), &result, 0) != 0) {
    return base::fault_from_errno("stat", path, errno);
  }
  return result;
}

bool Root::exists(std::string_view path) const {
  return ::faccessat(fd_.get(), relative(path).c_str(), F_OK, 0) == 0;
}

base::Result<std::vector<std::string>> Root::list_directory(std::string_view path) const {
  auto fd = open_directory(path);
  if (!fd) return std::unexpected(fd.error());
  return host::list_directory(fd->get());
}

base::Result<std::vector<std::string>> list_directory(int directory_fd) {
  base::UniqueFd copy(::openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy) return base::fault_from_errno("open", "a directory", errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(copy.get()), &::closedir);
  if (!directory) return base::fault_from_errno("list", "a directory", errno);
  static_cast<void>(copy.release());  // closedir owns it now
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return base::fault_from_errno("list", "a directory", errno);
  std::ranges::sort(names);
  return names;
}

}  // namespace allocd::host
