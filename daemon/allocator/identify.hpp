// SPDX-License-Identifier: Apache-2.0
// From a process to evidence: which malloc it uses, which allocator libraries lie in it, and how we know.
//
// Blocking, and it can block as long as the process's memory lock is held: call it from a reader thread.
// Reads /proc/PID/maps once, the link map and symbol tables by process_vm_readv, the executable's text once
// per file, the names of its threads. Never environ, never smaps. Nothing in the process is changed or
// stopped.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "allocator/evidence.hpp"
#include "allocator/fingerprint.hpp"
#include "kernel/process_stat.hpp"

namespace allocd::allocator {

// Of a process whose first thread has ended: the id and the directory (/proc/PID/task/TID) of another.
struct ProcessHandle {
  pid_t pid = 0;
  int directory = -1;  // open /proc/PID: bound to the process, it never leads to a later one of the same pid
};

enum class Outcome {
  ok,             // evidence is as good as it gets; see its rung
  gone,           // the process exited, or has no memory of its own (zombie, kernel thread)
  not_permitted,  // its memory map may not be read
  early,          // the dynamic linker has not finished: look again soon
  changed,        // it called execve each time we read
  given_up,       // keep_going said stop
  failed          // anything else; evidence.detail says what
};

struct Identification {
  Outcome outcome = Outcome::failed;
  Evidence evidence;       // detail is set for every outcome
  kernel::ImageKey image;  // what the evidence is about
  // GPUs in its memory map, by name ("nvidia0", "renderD128"), each once; bounded, for a process maps what it
  // likes.
  std::vector<std::string> devices;
};

// Asked between steps; false gives up.
using KeepGoing = std::function<bool()>;

[[nodiscard]] Identification identify(const ProcessHandle& process, FingerprintCache& fingerprints,
                                      const KeepGoing& keep_going);

}  // namespace allocd::allocator
