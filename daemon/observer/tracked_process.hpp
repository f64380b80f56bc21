// SPDX-License-Identifier: Apache-2.0
// One process as the observer remembers it from sample to sample.
//
// Holds its /proc/PID open: the handle is bound to the process, so a later process of the same pid can never
// be mistaken for it. Single-threaded, on the loop.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "allocator/identify.hpp"
#include "base/unique_fd.hpp"
#include "engine/engine.hpp"
#include "kernel/process_stat.hpp"
#include "kernel/process_status.hpp"
#include "observer/evidence_pool.hpp"

namespace allocd::observer {

enum class ReadOutcome { ok, gone, not_permitted, failed };

class TrackedProcess {
 public:
  // Opens /proc/`pid` below the directory `proc`.
  [[nodiscard]] static std::expected<TrackedProcess, ReadOutcome> open(int proc, pid_t pid);

  // stat, and what may have changed with it: status. Neither can block. `buffer` is scratch.
  [[nodiscard]] ReadOutcome read(std::string& buffer, Clock::time_point now);

  [[nodiscard]] ProcessId id() const { return {pid_, start_ticks_}; }
  [[nodiscard]] int directory() const { return directory_.get(); }
  [[nodiscard]] const std::string& comm() const { return comm_; }
  [[nodiscard]] const engine::RoleClaim& role() const { return role_; }
  [[nodiscard]] const kernel::ProcessStatus& status() const { return status_; }
  [[nodiscard]] std::uint64_t minor_faults() const { return minor_faults_; }
  [[nodiscard]] std::uint64_t major_faults() const { return major_faults_; }
  // The engine its command line names, while it is of interest (the main process).
  [[nodiscard]] engine::Engine engine() const { return engine_; }

  [[nodiscard]] bool evidence_is_due(Clock::time_point now) const { return now >= evidence_due_; }
  [[nodiscard]] Clock::time_point evidence_due() const { return evidence_due_; }
  // Evidence was asked for; it is due again after the next step of the schedule (+2 s, +30 s, then
  // `recheck`).
  void schedule_next(Clock::time_point now, std::chrono::milliseconds recheck);
  // Its command line may have something new to say: ask for it (Want::title).
  [[nodiscard]] bool wants_title() const { return look_at_title_ || role_.role == engine::Role::starting; }
  void take_title(const std::string& command_line);
  // True when it changed what is known.
  bool take(const allocator::Identification& identification);
  // Nothing until the first read has come back.
  [[nodiscard]] const std::optional<allocator::Identification>& identification() const {
    return identification_;
  }

  std::uint64_t seen_in = 0;  // number of the sample that saw it last
  std::uint32_t group = 0;    // index of its cgroup in that sample's listing

 private:
  [[nodiscard]] ReadOutcome read_stat(std::string& buffer, Clock::time_point now);
  [[nodiscard]] ReadOutcome read_status(std::string& buffer);
  // True when its stat says that it has not run, faulted or changed size since its status was read.
  [[nodiscard]] bool is_status_current();

  pid_t pid_ = 0;
  std::uint64_t start_ticks_ = 0;
  base::UniqueFd directory_;
  base::UniqueFd stat_;  // kept open: opening it anew costs as much as reading it
  kernel::ImageKey image_;
  std::string comm_;
  bool look_at_title_ = true;
  bool titled_ = false;  // its role came from a title of its own, not from argv
  engine::RoleClaim role_{engine::Role::starting, {}};
  engine::Engine engine_ = engine::Engine::unknown;
  kernel::ProcessStatus status_;
  std::size_t stat_hash_ = 0;  // of the last stat that was taken in
  bool is_unchanged_ = false;  // the newest stat says what the one before it said
  unsigned status_age_ = 0;    // samples since status_ was read; 0 when it never was
  std::uint64_t minor_faults_ = 0;
  std::uint64_t major_faults_ = 0;

  Clock::time_point evidence_due_{};
  unsigned evidence_step_ = 0;
  std::optional<allocator::Identification> identification_;
};

}  // namespace allocd::observer
