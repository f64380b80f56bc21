// SPDX-License-Identifier: Apache-2.0
// The directory of state files, one for each unit: NAME-HASH.json, the name so that a person finds it, the
// hash so that no two units share one.
//
// A file is wholly old or wholly new at every moment. One that cannot be used is set aside under its own name
// and ".corrupt" (or ".newer": written by a later allocd), where it stays for whoever wants to look, and the
// unit starts anew; nothing that is found here stops anybody. Everything may block on a slow disk.
// save_state() and remove_old_states() may run beside each other and beside load_state() of another unit.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "drift/unit_history.hpp"
#include "host/root.hpp"

namespace allocd::drift {

inline constexpr std::string_view kStateSuffix = ".json";
// More are not kept: those written longest ago go.
inline constexpr std::size_t kMostStates = 1024;
inline constexpr double kKeepDays = 30;

// "vllm.service" gives "vllm.service-1f0c...json".
[[nodiscard]] std::string state_name(std::string_view unit);

struct LoadedState {
  std::optional<UnitHistory> history;  // nothing: there is no file, or none that can be used
  std::string problem;                 // why it cannot be used, "" when there is no file or it is good
  std::string path;                    // with a problem: where the file is now
  bool is_unread = false;              // the file may be good and could not be read: not to be written over
};
[[nodiscard]] LoadedState load_state(const host::Root& root, const std::string& directory,
                                     const std::string& unit);

[[nodiscard]] base::Result<void> save_state(const host::Root& root, const std::string& directory,
                                            const std::string& unit, std::string_view text);

// Makes the directory, for its owner alone, where its parent is there.
[[nodiscard]] base::Result<void> make_state_directory(const host::Root& root, const std::string& directory);

// Removes state files, also those set aside, that nobody has written for 30 days before `now` (seconds since
// the epoch), and the oldest of too many. `is_used`: by its name, whether a unit that is known has it.
[[nodiscard]] base::Result<std::size_t> remove_old_states(
    const host::Root& root, const std::string& directory, double now,
    const std::function<bool(const std::string&)>& is_used);

}  // namespace allocd::drift
