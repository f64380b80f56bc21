// SPDX-License-Identifier: Apache-2.0
// What the files of a watched unit say of its preload, and how allocd's own drop-in of it lies on disk.
//
// The files are read when systemd's view of them or one of them has changed, else remembered: a look that
// finds nothing new costs one stat(2) per file. What user allocd may not read is a doubt, never a failure.
// Of all variables only LD_PRELOAD, MALLOC_CONF and GLIBC_TUNABLES leave this module: environment files hold
// secrets. Single-threaded, on the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/root.hpp"
#include "host/unit_manager.hpp"
#include "policy/assess.hpp"
#include "snapshot/model.hpp"
#include "unitfile/machine.hpp"

namespace allocd::observer {

struct UnitFilesView {
  // Nothing: not all of the unit's own files could be read.
  std::optional<policy::PreloadSources> preload;
  snapshot::Environment environment;
  snapshot::DropIn drop_in;  // path, state and loaded; the rest is the enforcer's
  // When an environment file last changed what one of the variables comes to, seconds since the epoch; 0:
  // none did.
  double changed_at = 0;
  bool is_quadlet = false;     // all of the above is of the container that the unit starts
  bool starts_script = false;  // ExecStart= starts a shell, or a script for one
  std::string digest;          // of the unit's files' texts and the program's state; not of environment files
};

class UnitFiles {
 public:
  explicit UnitFiles(const host::Root& root) : root_(root) {}

  // Valid until the next call. `now` in seconds since the epoch.
  [[nodiscard]] const UnitFilesView& look(const host::UnitFacts& facts, const unitfile::Machine& machine,
                                          double now);
  // The next look at each unit reads its files again, whatever their times say.
  void distrust() { ++generation_; }
  void forget_unless(const std::function<bool(const std::string&)>& is_watched);

  // The directories in which drop-ins of the units may lie.
  [[nodiscard]] const std::set<std::string>& directories() const { return directories_; }
  // How often files were read, for tests.
  [[nodiscard]] std::uint64_t reads() const { return reads_; }

 private:
  struct Stamp {
    int error = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified = 0;  // nanoseconds
    std::int64_t changed = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::vector<std::pair<std::string, Stamp>>;
  // What systemd says of the unit's files.
  using Key = std::vector<std::vector<std::string>>;
  struct Known {
    Key key;
    std::uint64_t generation = 0;
    Stamps stamps;
    UnitFilesView view;
    bool is_first = true;
  };

  [[nodiscard]] static Key key_of(const host::UnitFacts& facts, const unitfile::Machine& machine);
  [[nodiscard]] Stamp stamp(const std::string& path) const;
  [[nodiscard]] Stamps stamp_all(const std::vector<std::string>& paths) const;
  [[nodiscard]] bool is_current(const Stamps& stamps) const;
  void read(const host::UnitFacts& facts, const unitfile::Machine& machine, double now, Known& known);
  void note_change(const unitfile::Environment& environment, const std::string& name, double now,
                   bool is_first, UnitFilesView& view) const;
  void index_directories();

  const host::Root& root_;
  std::map<std::string, Known, std::less<>> units_;
  std::map<std::string, std::set<std::string>, std::less<>> directories_of_;
  std::set<std::string> directories_;
  std::uint64_t generation_ = 0;
  std::uint64_t reads_ = 0;
};

// How allocd's drop-in of the unit lies on disk, the file beside it included. Private to this folder.
[[nodiscard]] snapshot::DropIn read_drop_in(const host::Root& root, const host::UnitFacts& facts);

// Whether ExecStart= starts a shell: by its name, or by the first line of the script.
[[nodiscard]] bool read_starts_script(const host::Root& root, const host::UnitFacts& facts);

}  // namespace allocd::observer
