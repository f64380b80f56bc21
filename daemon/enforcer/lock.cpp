// SPDX-License-Identifier: Apache-2.0
#include "enforcer/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <thread>
#include <utility>

namespace allocd::enforcer {

base::Result<base::UniqueFd> take_lock(const host::Root& root, const std::string& directory,
                                       std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kPause{50};
  const auto handle = root.open_directory(directory);
  if (!handle) return std::unexpected(handle.error());
  base::UniqueFd fd(::openat(handle->get(), "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return base::fault_from_errno("open", directory + "/lock", errno);
  const auto until = std::chrono::steady_clock::now() + patience;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return base::fault_from_errno("lock", directory + "/lock", errno);
    if (std::chrono::steady_clock::now() >= until) {
      return std::unexpected(base::Fault{"lock", directory + "/lock",
                                         "another enforcer is at work and did not end in time", EWOULDBLOCK});
    }
    std::this_thread::sleep_for(kPause);
  }
  return fd;
}

}  // namespace allocd::enforcer
