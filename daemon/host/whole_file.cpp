// SPDX-License-Identifier: Apache-2.0
#include "host/whole_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/unique_fd.hpp"

namespace allocd::host {

namespace {

int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return 0;
}

int write_durably(int directory, const std::string& temporary, std::string_view text, mode_t mode) {
  const base::UniqueFd fd(
      ::openat(directory, temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return errno;
  if (const int error = write_all(fd.get(), text); error != 0) return error;
  if (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0) return errno;
  return 0;
}

}  // namespace

base::Result<void> write_whole_file(const host::Root& root, const std::string& directory,
                                    const std::string& name, std::string_view text, mode_t mode) {
  const auto handle = root.open_directory(directory);
  if (!handle) return std::unexpected(handle.error());
  const std::string temporary = "." + name + ".new";
  int error = write_durably(handle->get(), temporary, text, mode);
  if (error == 0 && ::renameat(handle->get(), temporary.c_str(), handle->get(), name.c_str()) != 0)
    error = errno;
  if (error != 0) {
    ::unlinkat(handle->get(), temporary.c_str(), 0);
    return base::fault_from_errno("write", directory + "/" + name, error);
  }
  if (::fsync(handle->get()) != 0) return base::fault_from_errno("write", directory + "/" + name, errno);
  return {};
}

}  // namespace allocd::host
