// SPDX-License-Identifier: Apache-2.0
// Since when systemd gives a unit's new processes what it gives them today, as far as a policy has a say in
// it: preloads, MALLOC_CONF and GLIBC_TUNABLES.
//
// Two views. The files: when those that name one of the variables last changed, by modification or by change
// of status, as a copy or a rename can bring an old modification time along. systemd's: when it last read its
// unit files, which counts for a unit only if what it says of that unit changed with it; a reload for the
// sake of another leaves the answer as it is. After a start of our own there is no view of before, and the
// files alone speak: a process that started between the change and the reload then looks younger than the
// setting. A file is read once per change. Single-threaded.
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "host/root.hpp"
#include "host/unit_manager.hpp"

namespace allocd::observer {

class PreloadFiles {
 public:
  explicit PreloadFiles(const host::Root& root) : root_(root) {}

  // Seconds since the epoch; 0 when nothing in the unit's files speaks of one of them. `units_loaded_at`:
  // when systemd last read its unit files, 0 when that is not known.
  [[nodiscard]] double loaded_at(const host::UnitFacts& facts, double units_loaded_at);
  // Drops what is remembered of units that `is_watched` does not know.
  void forget_unless(const std::function<bool(const std::string&)>& is_watched);

  // Seconds since the epoch of the newest change of those of `paths` that mention a preload; 0 when none
  // does.
  [[nodiscard]] double newest(std::span<const std::string> paths);

 private:
  struct Known {
    double changed_at = -1;
    std::uint64_t inode = 0;
    bool mentions_preload = false;
  };
  // What decides on a preload of the unit's processes, as systemd has it loaded.
  using Setting = std::vector<std::vector<std::string>>;
  struct Loaded {
    Setting setting;
    double at = 0;
  };
  [[nodiscard]] static Setting setting_of(const host::UnitFacts& facts);

  const host::Root& root_;
  std::map<std::string, Known, std::less<>> known_;
  std::map<std::string, Loaded, std::less<>> loaded_;
};

}  // namespace allocd::observer
