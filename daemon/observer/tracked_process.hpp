// SPDX-License-Identifier: Apache-2.0
// One process as the observer remembers it from sample to sample.
//
// Holds its /proc/PID open: the handle is bound to the process, so a later process of the same pid can never
// be mistaken for it. Single-threaded, on the loop.
#pragma once

#include <algorithm>
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
#include "settings/settings.hpp"

namespace allocd::observer {

enum class ReadOutcome { ok, gone, not_permitted, failed };

class TrackedProcess {
 public:
  // Opens /proc/`pid` below the directory `proc`.
  [[nodiscard]] static std::expected<TrackedProcess, ReadOutcome> open(int proc, pid_t pid);

  // stat, and what may have changed with it: status. Neither can block. `buffer` is scratch.
  [[nodiscard]] ReadOutcome read(std::string& buffer, Clock::time_point now);

  [[nodiscard]] ProcessId id() const { return {pid_, start_ticks_}; }
  // What its memory is read through.
  [[nodiscard]] allocator::ProcessHandle handle() const {
    return survivor_ ? allocator::ProcessHandle{survivor_id_, survivor_.get()}
                     : allocator::ProcessHandle{pid_, directory_.get()};
  }
  [[nodiscard]] const std::string& comm() const { return comm_; }
  [[nodiscard]] const engine::RoleClaim& role() const { return role_; }
  [[nodiscard]] const kernel::ProcessStatus& status() const { return status_; }
  // As of its start or exec, and again with its evidence.
  [[nodiscard]] const kernel::ProcessPlacement& placement() const { return placement_; }
  [[nodiscard]] const kernel::ImageKey& image() const { return image_; }
  [[nodiscard]] std::uint64_t minor_faults() const { return minor_faults_; }
  [[nodiscard]] std::uint64_t major_faults() const { return major_faults_; }
  // The engine its command line names, while it is of interest (the main process).
  [[nodiscard]] engine::Engine engine() const { return engine_; }

  // What to ask of it now; nothing while nothing is due.
  [[nodiscard]] std::optional<Want> due(Clock::time_point now) const;
  [[nodiscard]] Clock::time_point next_due() const { return std::min(evidence_due_, title_due_); }
  // It was asked for. Evidence is due again at +2 s, +30 s, then every recheck interval. A command line that
  // has not said what the process is comes with it, and in between after twice as long each time: a worker
  // can take minutes to name itself.
  void schedule_next(Want asked, Clock::time_point now, const settings::Observe& pace);
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
  // The image, as a thread that still runs has it; nothing when none does.
  [[nodiscard]] std::optional<kernel::ImageKey> find_survivor();
  void start_over(const kernel::ImageKey& image, Clock::time_point now);
  void want_title(Clock::time_point now);
  // True when its stat says that it has not run, faulted or changed size since its status was read.
  [[nodiscard]] bool is_status_current();

  pid_t pid_ = 0;
  std::uint64_t start_ticks_ = 0;
  base::UniqueFd directory_;
  base::UniqueFd stat_;      // kept open: opening it anew costs as much as reading it
  base::UniqueFd survivor_;  // /proc/PID/task/TID, once the first thread has ended while others run on
  pid_t survivor_id_ = 0;
  kernel::ImageKey image_;
  std::string comm_;
  bool titled_ = false;  // its role came from a title of its own, not from argv
  engine::RoleClaim role_{engine::Role::starting, {}};
  engine::Engine engine_ = engine::Engine::unknown;
  kernel::ProcessStatus status_;
  kernel::ProcessPlacement placement_;
  bool wants_placement_ = true;  // with the next status that is read
  std::size_t stat_hash_ = 0;    // of the last stat that was taken in
  bool is_unchanged_ = false;    // the newest stat says what the one before it said
  unsigned status_age_ = 0;      // samples since status_ was read; 0 when it never was
  std::uint64_t minor_faults_ = 0;
  std::uint64_t major_faults_ = 0;

  Clock::time_point title_due_{};  // never, while its command line has nothing new to say
  std::chrono::milliseconds title_wait_{0};
  Clock::time_point evidence_due_{};
  unsigned evidence_step_ = 0;
  std::optional<allocator::Identification> identification_;
};

}  // namespace allocd::observer
