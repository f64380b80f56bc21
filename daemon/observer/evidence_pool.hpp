// SPDX-License-Identifier: Apache-2.0
// Allocator evidence, read off the loop.
//
// A read blocks for as long as the watched process's memory lock is held, and nothing can interrupt it; that
// of /proc/PID/cmdline too, which the kernel copies out of the process's memory. So one thread reads; when
// its read meets the deadline the result is reported as given up, the thread is left to its fate (it ends
// when the kernel lets go) and another takes over, up to kMaxThreads in all and kMaxStuckPerUnit for one
// unit: a unit whose processes are all stuck takes no evidence from the others. A process whose read is stuck
// is refused until that read has come back.
//
// submit(), collect() and expire() are for the loop's thread; the eventfd says when collect() has something.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "allocator/identify.hpp"
#include "base/unique_fd.hpp"

namespace allocd::observer {

using Clock = std::chrono::steady_clock;

// A process: pid and start time together, never a pid alone.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  auto operator<=>(const ProcessId&) const = default;
};

enum class Want {
  title,    // its command line alone
  evidence  // that, and its allocator
};

// What one read of a process gave.
struct Reading {
  std::optional<std::string> command_line;  // as /proc/PID/cmdline has it; nothing when it could not be read
  std::optional<allocator::Identification> identification;
};

struct EvidenceResult {
  ProcessId id;
  Reading reading;
  bool timed_out = false;  // a read of its own met its deadline
};

enum class Submitted {
  accepted,
  busy,           // it is queued or being read already, or its last read is stuck
  unit_is_stuck,  // kMaxStuckPerUnit reads of its unit are stuck
  full            // no room, or no descriptor to be had
};

struct EvidenceCounts {
  std::uint64_t reads = 0;
  std::uint64_t deadlines = 0;
  double read_seconds = 0;  // spent reading, since start
  std::size_t waiting = 0;  // queued, being read, or not collected yet
  std::size_t stuck = 0;    // reads past their deadline that have not come back
  bool exhausted = false;   // nothing is read: every thread is stuck
};

// For a process that is not read because others of its unit are stuck.
[[nodiscard]] allocator::Identification make_unit_is_stuck();

class EvidencePool {
 public:
  using Read = std::function<Reading(const allocator::ProcessHandle&, Want, const allocator::KeepGoing&)>;
  static constexpr std::size_t kMaxThreads = 32;
  static constexpr std::size_t kMaxStuckPerUnit = 4;
  static constexpr std::size_t kMaxQueue =
      16384;  // each holds a descriptor; more are refused and asked again

  // `read` runs on reader threads, and may still run when the pool is gone: it must own what it uses.
  EvidencePool(Read read, std::chrono::milliseconds deadline);
  ~EvidencePool();
  EvidencePool(const EvidencePool&) = delete;
  EvidencePool& operator=(const EvidencePool&) = delete;

  void set_deadline(std::chrono::milliseconds deadline);

  // `process.directory` is duplicated here. `unit` is the key its stuck reads are counted under.
  [[nodiscard]] Submitted submit(const std::string& unit, const ProcessId& id,
                                 const allocator::ProcessHandle& process, Want want);
  // Forgets queued processes that are not among `ids` (sorted): they have gone.
  void retain(std::span<const ProcessId> ids);
  [[nodiscard]] std::vector<EvidenceResult> collect();
  // Reports reads that have met their deadline and replaces their threads. Call it now and then.
  void expire(Clock::time_point now);
  // When the oldest read in progress meets its deadline; nothing when none is in progress.
  [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;

  [[nodiscard]] EvidenceCounts counts() const;
  // Readable when collect() has results.
  [[nodiscard]] int event_fd() const;

 private:
  struct Shared;
  void add_thread();
  std::shared_ptr<Shared> shared_;
};

}  // namespace allocd::observer
