// SPDX-License-Identifier: Apache-2.0
// Turns differences between one snapshot and the next into journal messages: each change is told once.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "host/journal.hpp"
#include "policy/assessment.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

class ChangeLog {
 public:
  explicit ChangeLog(host::Journal& journal) : journal_(journal) {}
  void note(const snapshot::Snapshot& snapshot);

 private:
  struct Seen {
    policy::State state = policy::State::unknown;
    // Against the policy, while there are processes to judge: neither a stop nor a lack of news is a change.
    policy::State judged = policy::State::unknown;
    policy::DropInState drop_in = policy::DropInState::absent;
    bool is_expected = false;  // the enforcer remembered writing it
    bool permission_lost = false;
  };
  void note_bus(const snapshot::BusSummary& bus);
  void note_state(const snapshot::Unit& unit, Seen& seen);
  void note_transition(const snapshot::Unit& unit, Seen& seen);
  void note_drop_in(const snapshot::Unit& unit, Seen& seen);
  void note_permission(const snapshot::Unit& unit, Seen& seen);
  void note_vanished(const snapshot::Snapshot& snapshot);

  host::Journal& journal_;
  std::map<std::string, Seen> units_;
  bool first_ = true;
  bool bus_connected_ = true;
};

}  // namespace allocd::observer
