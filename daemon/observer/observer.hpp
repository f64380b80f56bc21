// SPDX-License-Identifier: Apache-2.0
// The observer as a whole: one loop, one thread, its sources and what they set off.
//
//   sample timer   takes a sample and publishes it; re-arms itself first
//   evidence       what the reader threads have found, and a timer for what is due or late
//   bus            systemd's view has changed: the next sample comes early
//   drop-ins       files of allocd's, or the enforcer's manifest, have changed: likewise
//   side lanes     the machine, the page cache and costly reads, on threads of their own (side_watch.hpp)
//   SIGHUP         the settings are read again; a bad file keeps the old ones
//   SIGTERM/INT    a clean end
//   watchdog       fed only while samples are being finished
// Ready after the first complete sample: systemd's view is whole and every process found has been read once.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "host/journal.hpp"
#include "host/root.hpp"
#include "host/unit_manager.hpp"
#include "observer/change_log.hpp"
#include "observer/drift_watch.hpp"
#include "observer/enforcement.hpp"
#include "observer/event_source.hpp"
#include "observer/evidence_pool.hpp"
#include "observer/options.hpp"
#include "observer/progress_gate.hpp"
#include "observer/sampler.hpp"
#include "observer/side_watch.hpp"
#include "observer/snapshot_board.hpp"
#include "observer/snapshot_server.hpp"
#include "settings/settings.hpp"

namespace allocd::observer {

class Observer {
 public:
  // `settings` have been loaded from the files in `options`. The signals must be blocked already.
  Observer(Options options, settings::Settings settings, host::Root root, host::Journal& journal,
           SnapshotBoard& board);

  // Runs until a signal ends it (or, with `once`, until the first complete sample). Exit code.
  [[nodiscard]] base::Result<int> run();

 private:
  [[nodiscard]] base::Result<void> add_sources();
  static int on_sample_timer(sd_event_source* source, std::uint64_t scheduled, void* self);
  static int on_evidence(sd_event_source* source, int fd, std::uint32_t events, void* self);
  static int on_evidence_timer(sd_event_source* source, std::uint64_t now, void* self);
  static int on_watchdog(sd_event_source* source, std::uint64_t now, void* self);
  static int on_reload(sd_event_source* source, const signalfd_siginfo* info, void* self);
  static int on_stop(sd_event_source* source, const signalfd_siginfo* info, void* self);
  void on_units_changed();
  void on_files_changed();
  void follow_enforcement();

  void take_sample(double lateness);
  void describe_observer(snapshot::Snapshot& snapshot, double cpu_before, Clock::time_point begun,
                         double lateness);
  // Whether the sample just taken may be shown as the first.
  [[nodiscard]] bool is_first_complete(Clock::time_point now);
  void become_ready();
  // Null, and logged, when the socket cannot be had.
  [[nodiscard]] std::unique_ptr<SnapshotServer> serve(const std::string& path, snapshot::Detail detail);
  void arm_sample(Clock::time_point at);
  void sample_soon();
  void arm_evidence();
  void reload();
  void log_timeouts();

  Options options_;
  settings::Settings settings_;
  host::Root root_;
  host::Journal& journal_;
  SnapshotBoard& board_;
  EvidencePool pool_;
  Sampler sampler_;
  ChangeLog change_log_;
  snapshot::ConfigState config_;

  EventLoop loop_;
  EventSource sample_timer_, evidence_io_, evidence_timer_, watchdog_timer_, hangup_, terminate_, interrupt_;
  std::unique_ptr<host::UnitManager> units_;
  std::unique_ptr<Enforcement> enforcement_;
  std::unique_ptr<SideWatch> side_;
  std::unique_ptr<DriftWatch> drift_;
  std::unique_ptr<SnapshotServer> server_;
  std::unique_ptr<SnapshotServer> summary_server_;

  Clock::time_point started_;
  ProgressGate gate_;
  double started_at_ = 0;
  Clock::time_point last_sample_;
  Clock::time_point next_sample_;
  std::chrono::microseconds watchdog_{0};
  bool ready_ = false;
  bool evidence_news_ = false;
  std::uint64_t sequence_ = 0;
};

}  // namespace allocd::observer
