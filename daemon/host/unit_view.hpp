// SPDX-License-Identifier: Apache-2.0
// Which units we keep facts of, and which of them have to be read (again). Pure: signals and answers go
// in, names to read come out; no bus, no clock.
//
// A read of a unit that is not in systemd's memory makes systemd load it, announce it (UnitNew), collect it
// and announce that (UnitRemoved). Therefore UnitNew of a unit selected by name asks for a read only
// while the unit stays loaded, and UnitRemoved asks for one only if we believe the unit to be more
// than inactive; else every read would cause the next.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/unit_manager.hpp"

namespace allocd::host {

struct ListedUnit {
  std::string name;
  std::string load_state;
};

class UnitView {
 public:
  // Facts of units that stay selected by name are kept until they have been read again.
  void select(UnitSelection selection);

  // Everything is due. `begin_round` also means that nothing counts as read: `complete` turns false.
  void begin_round();
  void reread_all();
  // Answers still awaited will not come.
  void abandon_reads();

  [[nodiscard]] const std::vector<std::string>& patterns() const { return selection_.patterns; }
  [[nodiscard]] bool wants_all_names() const { return static_cast<bool>(selection_.accepts); }

  // True once when the names of loaded units have to be listed; then call one of the other two.
  [[nodiscard]] bool take_list_due();
  void listed(const std::vector<ListedUnit>& units);
  void list_failed(bool answered);

  // Signals.
  void unit_new(const std::string& name);
  void unit_removed(const std::string& name);
  void unit_changed(const std::string& name);

  // Names to read now; each must be followed by one of the other two.
  [[nodiscard]] std::vector<std::string> take_due();
  void read_done(const std::string& name, UnitFacts facts);
  void read_failed(const std::string& name, bool answered);

  // Whether something failed since it was last read well, and to make that due.
  [[nodiscard]] bool has_failed() const;
  void retry_failed();

  [[nodiscard]] const std::map<std::string, UnitFacts>& units() const { return units_; }
  [[nodiscard]] bool complete() const { return complete_; }
  // True once after `units()` has changed.
  [[nodiscard]] bool take_changed();

 private:
  enum class Due { no, if_loaded, yes };
  struct Entry {
    bool exact = false;
    bool reading = false;
    bool answered = false;  // in this round
    bool failed = false;
    Due due = Due::yes;
    std::string id;  // systemd's own name of the unit; differs from ours for an alias
  };
  using Entries = std::map<std::string, Entry>;

  [[nodiscard]] static bool concerns(std::string_view signalled, std::string_view name, const Entry& entry);
  [[nodiscard]] bool matches_pattern(std::string_view name) const;
  [[nodiscard]] bool is_candidate(const std::string& name) const;
  [[nodiscard]] bool is_alias_target(const std::string& id, const std::string& name) const;
  [[nodiscard]] bool is_selected(const std::string& name, const Entry& entry, const UnitFacts& facts) const;
  [[nodiscard]] bool is_active(const std::string& name) const;
  void store(const std::string& name, UnitFacts facts);
  Entries::iterator drop(Entries::iterator entry);
  void drop_unnamed(const std::string& id);
  void update_complete();

  UnitSelection selection_;
  Entries entries_;
  std::set<std::string> rejected_;  // read, and not accepted
  std::map<std::string, UnitFacts> units_;
  bool list_due_ = false;
  bool list_answered_ = true;
  bool list_failed_ = false;
  bool complete_ = false;
  bool changed_ = false;
};

}  // namespace allocd::host
