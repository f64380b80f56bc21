// SPDX-License-Identifier: Apache-2.0
// When the observer asks for a run of the enforcer ("look now"), and when it does not.
//
// A wish is a reason to run that holds now; it is told by what it depends on. A new wish, or one whose facts
// have changed, is passed on at once; one that stays as it is comes back after 2 s, 4 s and so on up to five
// minutes, for what happens while the enforcer runs is lost on the path unit. One that the enforcer has
// looked at since, and left as it is (a blocked item), comes back ever more rarely, up to once an hour:
// nothing that the observer sees of it has changed. Never more often than once in 2 s. What there is to do
// the enforcer finds out by itself. Pure: time is passed in. Single-threaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/closed_enum.hpp"
#include "settings/settings.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

enum class Cause {
  configuration,  // it was read anew, and enforcing is or was part of it
  drift,          // what is on disk or loaded is not what an enforced policy asks for
  latch,          // an enforced drop-in was taken back, and the policy or the library has changed since
  fuse,           // a unit under a new drop-in has started, or is settling
  restart         // a restart is due, and the policy allows it now
};
inline constexpr base::EnumNames<Cause, 5> kCauseNames{
    {"configuration", "drift", "latch", "fuse", "restart"}};

struct Wish {
  std::string unit;  // "" for `configuration`
  Cause cause = Cause::drift;
  std::string facts;  // what it depends on: when this changes, the wish is a new one
  // When the enforcer last looked at what is enforced and nothing failed, seconds since the epoch; 0 for a
  // wish that is never left as it is.
  double looked_at = 0;
  bool operator==(const Wish&) const = default;
};

// What a run of the enforcer depends on and a snapshot does not show.
struct Grounds {
  std::string files;    // digest of the unit's files
  std::string policy;   // digest of what the policy comes to; "" when the library is not known
  std::string latched;  // the same, when the drop-in was taken back; "" when it was not
  bool operator==(const Grounds&) const = default;
};
using GroundsByUnit = std::map<std::string, Grounds>;

[[nodiscard]] std::vector<Wish> list_wishes(const snapshot::Snapshot& snapshot,
                                            const settings::Settings& settings, const GroundsByUnit& grounds,
                                            std::chrono::system_clock::time_point now);

class EnforcementTrigger {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kFirstWait{2};
  static constexpr std::chrono::seconds kLongestWait{300};
  static constexpr std::chrono::seconds kLongestWaitIfLeft{3600};

  // The wishes that hold now. True when the enforcer is to be asked now; it counts as asked.
  [[nodiscard]] bool decide(const std::vector<Wish>& wishes, Time now);
  // When to decide again even if nothing changes; nothing while there is no wish.
  [[nodiscard]] std::optional<Time> next() const { return next_; }

 private:
  using Key = std::pair<std::string, Cause>;
  struct Entry {
    std::string facts;
    std::chrono::seconds wait{0};
    Time due;
    Time seen;
    double looked_at = 0;  // when this was new
    bool is_left = false;
  };
  void note(const Wish& wish, Time now);
  static void wait_on(Entry& entry, Cause cause, Time now);

  std::map<Key, Entry> entries_;
  std::optional<Time> asked_;
  std::optional<Time> next_;
};

}  // namespace allocd::observer
