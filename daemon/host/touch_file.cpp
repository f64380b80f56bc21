// SPDX-License-Identifier: Apache-2.0
#include "host/touch_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.hpp"

namespace allocd::host {

base::Result<void> apply_touch(const Root& root, const std::string& path) {
  const auto relative = path.substr(std::min(path.find_first_not_of('/'), path.size()));
  const base::UniqueFd fd(::openat(root.fd(), relative.c_str(),
                                   O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                                   0644));
  if (!fd) return base::fault_from_errno("touch", path, errno);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return base::fault_from_errno("touch", path, errno);
  if (!S_ISREG(status.st_mode)) return base::fault("touch", path, "not a regular file");
  if (::ftruncate(fd.get(), 0) != 0 || ::futimens(fd.get(), nullptr) != 0)
    return base::fault_from_errno("touch", path, errno);
  return {};
}

}  // namespace allocd::host
