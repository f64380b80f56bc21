// SPDX-License-Identifier: Apache-2.0
// Allocator evidence, read off the loop.
//
// A read blocks for as long as the watched process's memory lock is held, and nothing can interrupt it. So
// one thread reads; when its read meets the deadline the result is reported as given up, the thread is left
// to its fate (it ends when the kernel lets go) and another takes over, up to kMaxThreads. A process whose
// read is stuck is refused until that read has come back.
//
// submit(), collect() and expire() are for the loop's thread; the eventfd says when collect() has something.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
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

struct EvidenceResult {
  ProcessId id;
  allocator::Identification identification;
};

struct EvidenceCounts {
  std::uint64_t reads = 0;
  std::uint64_t deadlines = 0;
  double read_seconds = 0;  // spent reading, since start
  std::size_t waiting = 0;  // queued or being read
  std::size_t stuck = 0;    // reads past their deadline that have not come back
};

class EvidencePool {
 public:
  using Identify =
      std::function<allocator::Identification(const allocator::ProcessHandle&, const allocator::KeepGoing&)>;
  static constexpr std::size_t kMaxThreads = 8;

  // `identify` runs on reader threads.
  EvidencePool(Identify identify, std::chrono::milliseconds deadline);
  ~EvidencePool();
  EvidencePool(const EvidencePool&) = delete;
  EvidencePool& operator=(const EvidencePool&) = delete;

  void set_deadline(std::chrono::milliseconds deadline);

  // False when this process's evidence is already being read. `directory` is an open /proc/PID, duplicated
  // here.
  [[nodiscard]] bool submit(const ProcessId& id, int directory);
  [[nodiscard]] std::vector<EvidenceResult> collect();
  // Reports reads that have met their deadline and replaces their threads. Call it now and then.
  void expire(Clock::time_point now);

  [[nodiscard]] EvidenceCounts counts() const;
  // Readable when collect() has results.
  [[nodiscard]] int event_fd() const;

 private:
  struct Shared;
  void add_thread();
  std::shared_ptr<Shared> shared_;
};

}  // namespace allocd::observer
