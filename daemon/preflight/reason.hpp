// SPDX-License-Identifier: Apache-2.0
// Why a preload is not sound on this host: a closed set, part of the contract (plan, JSON, metrics).
//
// `ok` is the only value that lets a drop-in be written. `cannot_run` is a fault of the host, not of the
// library: nothing was proved, so nothing is written either. A Finding's sentence is for people; what a
// library or a path says is escaped and capped in it.
#pragma once

#include <string>

#include "base/closed_enum.hpp"

namespace allocd::preflight {

enum class Reason {
  ok,
  library_not_found,
  bad_path,            // not absolute, or with a character that LD_PRELOAD cannot carry
  writable_by_others,  // it, or a directory above it, belongs to or can be written by others than root
  unreadable,
  not_elf,
  damaged,  // cut short, or headers that contradict themselves
  wrong_class,
  wrong_machine,
  not_shared_object,
  wrong_page_size,
  musl_library,
  missing_dependency,
  no_malloc,
  wrong_allocator,    // an allocator, but not the one that was asked for
  bad_malloc_conf,    // jemalloc says so
  bad_tunable,        // glibc would ignore it without a word
  not_loaded,         // the dynamic linker refused it
  malloc_elsewhere,   // loaded, but malloc belongs to somebody else
  crashed,            // the canary was killed by a signal
  timed_out,          // the canary did not end
  misbehaves,         // the canary found memory wrong
  broken_after_fork,  // it works until the program forks
  unexpected_output,  // a word on stderr, or on stdout, that is not the canary's
  output_flood,
  cannot_run  // the canary itself could not be started
};
inline constexpr base::EnumNames<Reason, 26> kReasonNames{{"ok",
                                                           "library_not_found",
                                                           "bad_path",
                                                           "writable_by_others",
                                                           "unreadable",
                                                           "not_elf",
                                                           "damaged",
                                                           "wrong_class",
                                                           "wrong_machine",
                                                           "not_shared_object",
                                                           "wrong_page_size",
                                                           "musl_library",
                                                           "missing_dependency",
                                                           "no_malloc",
                                                           "wrong_allocator",
                                                           "bad_malloc_conf",
                                                           "bad_tunable",
                                                           "not_loaded",
                                                           "malloc_elsewhere",
                                                           "crashed",
                                                           "timed_out",
                                                           "misbehaves",
                                                           "broken_after_fork",
                                                           "unexpected_output",
                                                           "output_flood",
                                                           "cannot_run"}};

struct Finding {
  Reason reason = Reason::ok;
  std::string sentence;
  bool operator==(const Finding&) const = default;
};

}  // namespace allocd::preflight
