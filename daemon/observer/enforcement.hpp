// SPDX-License-Identifier: Apache-2.0
// The observer's side of enforcement: sees drop-ins change, and asks for a run of the enforcer.
//
// It watches the directories of drop-ins and the enforcer's manifest, and touches one file, which
// allocd-enforcer.path waits for; it hands over no word. Its troubles are a problem to show, never a failure.
// Single-threaded, on the loop.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "host/directory_watch.hpp"
#include "host/event_timer.hpp"
#include "host/journal.hpp"
#include "host/root.hpp"
#include "observer/enforcement_trigger.hpp"
#include "settings/settings.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

class Enforcement {
 public:
  struct Options {
    std::string look_now;  // what is touched
    std::string manifest_directory;
  };
  // `on_files_changed` is called a moment after the last change of a drop-in or of the manifest.
  Enforcement(sd_event* loop, const host::Root& root, host::Journal& journal, Options options,
              std::function<void()> on_files_changed);

  // The directories in which drop-ins of the watched units may lie.
  void watch(const std::set<std::string>& directories);
  // Asks for a run of the enforcer where this sample gives a reason to.
  void consider(const snapshot::Snapshot& snapshot, const settings::Settings& settings,
                const GroundsByUnit& grounds);

  // "" while all is well.
  [[nodiscard]] std::string problem() const;

 private:
  void on_change(const host::DirectoryWatch::Change& change);
  void decide();

  const host::Root& root_;
  host::Journal& journal_;
  Options options_;
  host::DirectoryWatch watch_;
  host::EventTimer debounce_;
  host::EventTimer retry_;
  EnforcementTrigger trigger_;
  std::vector<Wish> wishes_;
  std::string touch_problem_;
};

}  // namespace allocd::observer
