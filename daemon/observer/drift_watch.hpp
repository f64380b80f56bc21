// SPDX-License-Identifier: Apache-2.0
// The drift of every unit from sample to sample, kept over restarts of allocd.
//
// Without a directory nothing is kept. With one, a unit's history is read when it is first seen and written
// about once an hour, when an hour of its life has ended: on a side lane, for a disk may take its time, and
// some at a time, so that units that started together are not written together. A clean stop writes all;
// after any other end what came after the last writing is missing, and the hour that ran then counts if a
// third of it was seen. A file that cannot be used is set aside, one that cannot be written is tried again:
// both show in the journal, and as errors of the collector "drift".
//
// A life is that of the main process; of the oldest where systemd names none, or one that is not in the
// unit's control group. Where not all processes could be read there is no sample: a part of the sum is not
// the sum. Time is passed in. Single-threaded, on the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drift/state_files.hpp"
#include "drift/unit_history.hpp"
#include "host/journal.hpp"
#include "host/root.hpp"
#include "observer/side_lane.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

struct DriftTime {
  double realtime = 0;    // seconds since the epoch: shown, and never computed with
  double since_boot = 0;  // seconds on the clock of process start times
};

class DriftWatch {
 public:
  // `directory`: where state is kept, "" for nowhere.
  DriftWatch(const host::Root& root, std::string directory, host::Journal& journal,
             std::shared_ptr<SideEvent> event);

  // True when every process of a unit was read for this sample.
  using IsWhole = std::function<bool(const std::string& unit)>;
  // Takes the sample in and fills `drift` of each unit, and the collector.
  void follow(snapshot::Snapshot& snapshot, const IsWhole& is_whole, const DriftTime& now);
  // At a clean stop. Takes seconds at most, whatever the disk does.
  void save_all();

 private:
  struct Entry {
    explicit Entry(drift::UnitHistory kept) : history(std::move(kept)) {}
    drift::UnitHistory history;
    double seen_at = 0;  // when the unit was last there; since boot, as all here
    double fed_at = 0;   // of its newest sample; 0: none yet
    // As it was last written: the newest sample in it, and the hour of life that ran.
    double saved_at = 0;
    std::int64_t saved_hour = 0;
    std::optional<double>
        load_at;  // its file could not be read and will be again then; until then nothing is known
  };
  struct Write {
    std::string unit;
    std::string text;
    double fed_at;
    std::int64_t hour;
  };
  struct Outcome {
    std::vector<Write> written;  // those before the first that failed
    std::string error;           // of that one; "" for none
  };
  Entry& entry_of(const std::string& unit, double now);
  void load(const std::string& unit, Entry& entry, double now);
  void follow_unit(snapshot::Unit& unit, const snapshot::Snapshot& snapshot, bool is_whole,
                   const DriftTime& now);
  void forget(double now);
  void start_work(double now, double since_last);
  void start_writing(std::vector<Write> writes);
  [[nodiscard]] bool start_cleaning(double now);  // whether it was time to
  using Work = std::function<Outcome(const host::Root&, const SideLane::StillWanted&)>;
  void start_job(Work work);
  static Outcome write_states(const host::Root& root, const std::string& directory,
                              const std::vector<Write>& writes, const std::function<bool()>& may_go_on);
  void take(const Outcome& outcome, const SideCost& cost);
  void note_aside(const std::string& unit, const drift::LoadedState& loaded);
  void note_unread(const std::string& unit, const drift::LoadedState& loaded, bool is_first);
  void note_writing(const std::string& error);

  const host::Root& root_;
  std::string directory_;
  host::Journal& journal_;
  std::shared_ptr<SideEvent> event_;
  SideLane lane_;
  snapshot::Collector collector_;
  std::map<std::string, Entry> entries_;  // by unit name
  std::string last_unit_;                 // written last; units take turns after it
  bool is_failing_ = false;
  std::optional<double> retry_at_;
  std::optional<double> clean_at_;
  DriftTime now_;  // of the last sample
};

}  // namespace allocd::observer
