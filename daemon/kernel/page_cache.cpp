// SPDX-License-Identifier: Apache-2.0
#include "kernel/page_cache.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <vector>

#include "base/unique_fd.hpp"

namespace allocd::kernel {

namespace {

// One number on every architecture; Debian 12's headers (6.1) do not have it yet.
constexpr long kCachestat = 451;
// A call looks at each cached page: half a million of 4 KiB take some milliseconds.
constexpr std::uint64_t kCachestatWindow = std::uint64_t{2} << 30U;
constexpr std::uint64_t kMincoreWindow = std::uint64_t{256} << 20U;

// include/uapi/linux/mman.h of Linux 6.5.
struct CachestatRange {
  std::uint64_t offset;
  std::uint64_t length;
};
struct Cachestat {
  std::uint64_t cached;
  std::uint64_t dirty;
  std::uint64_t writeback;
  std::uint64_t evicted;
  std::uint64_t recently_evicted;
};

std::uint64_t page_size() {
  static const auto size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

CacheOutcome outcome_of(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return CacheOutcome::not_permitted;
    case EOPNOTSUPP:
    case ENODEV:  // mmap: no mapping of such files
      return CacheOutcome::unsupported;
    case ENOENT:
    case ESTALE:
      return CacheOutcome::gone;
    case ELOOP:  // a link took the file's place
      return CacheOutcome::not_regular;
    case ECANCELED:
      return CacheOutcome::stopped;
    default:
      return CacheOutcome::failed;
  }
}

// Adds up one file window by window. `ask(offset, length)` gives 0 or an errno value.
template <typename Ask>
int each_window(std::uint64_t size, std::uint64_t window, const KeepGoing& keep_going, const Ask& ask) {
  for (std::uint64_t offset = 0; offset < size; offset += window) {
    if (keep_going && !keep_going()) return ECANCELED;
    if (const int error = ask(offset, std::min(window, size - offset)); error != 0) return error;
  }
  return 0;
}

int ask_cachestat(int fd, CachedFile& file, const KeepGoing& keep_going) {
  return each_window(file.size, kCachestatWindow, keep_going,
                     [&](std::uint64_t offset, std::uint64_t length) {
                       CachestatRange range{offset, length};
                       Cachestat found{};
                       if (::syscall(kCachestat, fd, &range, &found, 0U) != 0) return errno;
                       file.cached += found.cached * page_size();
                       file.dirty += found.dirty * page_size();
                       file.writeback += found.writeback * page_size();
                       file.evicted += found.evicted * page_size();
                       file.recently_evicted += found.recently_evicted * page_size();
                       return 0;
                     });
}

// As mm/mincore.c asks: owner, or may write. Without, mincore answers 1 for every page.
bool may_ask_mincore(int directory, const char* name, const struct stat& status) {
  return status.st_uid == ::geteuid() ||
         ::faccessat(directory, name, W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0;
}

int ask_mincore(int fd, CachedFile& file, const KeepGoing& keep_going) {
  file.method = CacheMethod::mincore;
  std::vector<unsigned char> resident;
  return each_window(file.size, kMincoreWindow, keep_going, [&](std::uint64_t offset, std::uint64_t length) {
    void* address = ::mmap(nullptr, length, PROT_READ, MAP_PRIVATE, fd, static_cast<off_t>(offset));
    if (address == MAP_FAILED) return errno;
    resident.resize((length + page_size() - 1) / page_size());
    const int error = ::mincore(address, length, resident.data()) == 0 ? 0 : errno;
    ::munmap(address, length);
    if (error != 0) return error;
    const auto pages = std::ranges::count_if(resident, [](unsigned char page) { return (page & 1U) != 0; });
    file.cached += static_cast<std::uint64_t>(pages) * page_size();
    return 0;
  });
}

// Whether the name is still the file that was looked at is settled on the descriptor.
int ask(int directory, const char* name, CachedFile& file, const KeepGoing& keep_going, bool force_mincore) {
  const base::UniqueFd fd(
      ::openat(directory, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY));
  if (!fd) return errno;
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return errno;
  if (!S_ISREG(status.st_mode)) return ELOOP;
  file.size = static_cast<std::uint64_t>(status.st_size);
  const int error = force_mincore ? ENOSYS : ask_cachestat(fd.get(), file, keep_going);
  // ENOSYS: before 6.5. EPERM where mincore may be asked is not the kernel's own answer, whose rule is the
  // same: a filter of system calls gave it.
  if (error != ENOSYS && error != EPERM) return error;
  return may_ask_mincore(directory, name, status) ? ask_mincore(fd.get(), file, keep_going) : EPERM;
}

void add(PageCache& sum, const CachedFile& file) {
  ++sum.files;
  sum.bytes += file.size;
  sum.cached += file.cached;
  sum.dirty += file.dirty;
  sum.writeback += file.writeback;
  sum.evicted += file.evicted;
  sum.recently_evicted += file.recently_evicted;
  sum.used_mincore = sum.used_mincore || file.method == CacheMethod::mincore;
}

void take(PageCache& sum, const CachedFile& file) {
  switch (file.outcome) {
    case CacheOutcome::counted:
      return add(sum, file);
    case CacheOutcome::not_permitted:
      ++sum.not_permitted;
      return;
    case CacheOutcome::unsupported:
      ++sum.unsupported;
      return;
    case CacheOutcome::stopped:
      sum.stopped = true;
      return;
    case CacheOutcome::gone:
    case CacheOutcome::not_regular:
    case CacheOutcome::failed:
      ++sum.failed;
      return;
  }
}

}  // namespace

CachedFile read_cached_file(int directory, const char* name, const KeepGoing& keep_going,
                            bool force_mincore) {
  CachedFile file;
  struct stat status{};
  if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
    file.outcome = outcome_of(errno);
    return file;
  }
  // Opening a device can do things, and a FIFO can wait.
  if (!S_ISREG(status.st_mode)) {
    file.outcome = CacheOutcome::not_regular;
    return file;
  }
  const int error = ask(directory, name, file, keep_going, force_mincore);
  file.outcome = error == 0 ? CacheOutcome::counted : outcome_of(error);
  file.cached = std::min(file.cached, file.size);
  return file;
}

PageCache read_page_cache(const host::Root& root, std::span<const std::string> patterns,
                          const SearchLimits& limits, const KeepGoing& keep_going) {
  PageCache sum;
  const auto visit = [&](const FoundFile& found) {
    take(sum, read_cached_file(found.directory, found.name, keep_going));
  };
  sum.search = find_files(root, patterns, limits, visit, keep_going);
  return sum;
}

}  // namespace allocd::kernel
