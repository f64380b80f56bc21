// SPDX-License-Identifier: Apache-2.0
// How much of files is in the page cache, without reading a page of them in: cachestat(2), Linux 6.5, and
// before it mincore(2) over a mapping that is never touched.
//
// Rights. A file's cache is told only to its owner, to who may write it, and to CAP_FOWNER: cachestat answers
// others with EPERM (since 6.14 and the stable kernels of early 2025; before that it answered everybody who
// may read), mincore claims that every page is cached (since 5.2), which is why it is not asked without those
// rights. Such a file is `not_permitted`, never 0. Measured on 6.18 as another user, on root's file of mode
// 0644: EPERM, and no better with CAP_SYS_PTRACE or CAP_DAC_READ_SEARCH; an answer as a member of a group
// that may write, with CAP_FOWNER, with CAP_DAC_OVERRIDE. So the observer, user allocd with CAP_SYS_PTRACE
// alone, sees model files only where its user or group may write to them: `setfacl -m u:allocd:rw` on the
// files, or the group of mode 0664, or CAP_FOWNER for the daemon (which lets it change modes of anybody's
// files where the file system is not read-only to it; its unit mounts all of them so). It does not need the
// write: nothing here opens a file for writing. Under mincore a file on a read-only mount counts as not
// permitted unless it is owned.
//
// A filter of system calls may stand before all this: systemd's @system-service has no cachestat (measured
// with 252: EPERM), so the unit must add it by name, or mincore serves.
//
// Only regular files are opened, O_RDONLY and O_NONBLOCK; a mapping for mincore may set the access time,
// cachestat sets nothing. Not supported: hugetlbfs, and files without a page cache (DAX reads as 0). A dead
// network server blocks the caller. Large files are asked about in windows, `keep_going` between them. Safe
// from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/closed_enum.hpp"
#include "host/root.hpp"
#include "kernel/chunks.hpp"
#include "kernel/path_search.hpp"

namespace allocd::kernel {

enum class CacheMethod { cachestat, mincore };
inline constexpr base::EnumNames<CacheMethod, 2> kCacheMethodNames{{"cachestat", "mincore"}};

enum class CacheOutcome {
  counted,
  not_permitted,
  unsupported,
  gone,
  not_regular,
  stopped,  // keep_going said so; the file does not count
  failed
};
inline constexpr base::EnumNames<CacheOutcome, 7> kCacheOutcomeNames{
    {"counted", "not_permitted", "unsupported", "gone", "not_regular", "stopped", "failed"}};

// Bytes. Whole pages, but `cached` never exceeds the file's size: a cached page at its end reaches beyond it.
struct CachedFile {
  CacheOutcome outcome = CacheOutcome::failed;
  CacheMethod method = CacheMethod::cachestat;
  std::uint64_t size = 0;
  std::uint64_t cached = 0;
  // Of cachestat alone; 0 from mincore, which does not know.
  std::uint64_t dirty = 0;
  std::uint64_t writeback = 0;
  std::uint64_t evicted = 0;           // was cached, and the kernel still remembers that it was
  std::uint64_t recently_evicted = 0;  // of those: would have stayed, had there been more memory
};

// Sum over the files of some patterns. `bytes` and what follows are of counted files alone, so that
// cached / bytes is a true share.
struct PageCache {
  SearchCounts search;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t cached = 0;
  std::uint64_t dirty = 0;
  std::uint64_t writeback = 0;
  std::uint64_t evicted = 0;
  std::uint64_t recently_evicted = 0;
  bool used_mincore = false;  // of any file: then the last four are not known
  // Files that are not in the sums, by reason.
  std::uint64_t not_permitted = 0;
  std::uint64_t unsupported = 0;
  std::uint64_t failed = 0;  // those that went away or changed their kind as well
  bool stopped = false;      // by keep_going; files are missing from the sums

  // Everything the patterns name was looked at, whatever came of it.
  [[nodiscard]] bool is_complete() const { return search.is_complete() && !stopped; }
  // No file is known, and some could not be: show no figure.
  [[nodiscard]] bool is_unknown() const {
    return files == 0 && (not_permitted + unsupported + failed + search.not_permitted > 0 || !is_complete());
  }
  bool operator==(const PageCache&) const = default;
};

// `name` in the open directory `directory`; a symbolic link there is not_regular. `force_mincore` is for
// tests.
[[nodiscard]] CachedFile read_cached_file(int directory, const char* name, const KeepGoing& keep_going = {},
                                          bool force_mincore = false);

// All files that `patterns` name (see path_search.hpp). `keep_going` is the caller's budget of time.
[[nodiscard]] PageCache read_page_cache(const host::Root& root, std::span<const std::string> patterns,
                                        const SearchLimits& limits, const KeepGoing& keep_going = {});

}  // namespace allocd::kernel
