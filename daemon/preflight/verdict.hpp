// SPDX-License-Identifier: Apache-2.0
// What a run of the canary proves. Sound is: it exited 0, malloc's owner is the very file that was examined,
// and not one byte besides the canary's own line was written. Everything else has a reason. Pure.
//
//   ERROR: ld.so: object '/x.so' from LD_PRELOAD cannot be preloaded (cannot open shared object file):
//   ignored. <jemalloc>: Invalid conf pair: x:y        (and goes on: the exit code says nothing)
//   {"owner":"/usr/lib/libjemalloc.so.2","device":1,"inode":2,"glibc":"2.36","page_size":4096}
#pragma once

#include <optional>
#include <string>

#include "preflight/canary.hpp"
#include "preflight/library.hpp"
#include "preflight/reason.hpp"

namespace allocd::preflight {

struct Verdict {
  Finding finding;
  std::string owner;  // path of malloc's owner, "" when the canary did not get to say it
};

// `library` is what malloc must belong to; nothing for glibc's own malloc.
[[nodiscard]] Verdict decide_verdict(const CanaryRun& run, const std::optional<Library>& library);

}  // namespace allocd::preflight
