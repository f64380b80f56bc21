// SPDX-License-Identifier: Apache-2.0
#include "enforcer/stop_line.hpp"

#include <systemd/sd-journal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>

#include "host/journal_sync.hpp"

namespace allocd::enforcer {

namespace {

// SD_MESSAGE_UNIT_STOPPED of sd-messages(3), which names the job since systemd 236.
constexpr const char* kStopped = "MESSAGE_ID=9d1aaa27d60140bd96365438aad20286";

struct Close {
  void operator()(sd_journal* journal) const { sd_journal_close(journal); }
};

}  // namespace

bool has_stop_line(const std::string& unit, const std::string& invocation) {
  if (invocation.empty()) return false;
  (void)host::sync_journal(std::chrono::seconds(1));
  sd_journal* opened = nullptr;
  if (sd_journal_open(&opened, SD_JOURNAL_LOCAL_ONLY) < 0) return false;
  const std::unique_ptr<sd_journal, Close> journal(opened);
  const std::array<std::string, 5> matches{kStopped, "JOB_TYPE=stop", "UNIT=" + unit,
                                           "INVOCATION_ID=" + invocation, "_PID=1"};
  const bool is_selected = std::ranges::all_of(matches, [&](const std::string& match) {
    return sd_journal_add_match(opened, match.data(), match.size()) >= 0;
  });
  return is_selected && sd_journal_seek_tail(opened) >= 0 && sd_journal_previous(opened) > 0;
}

}  // namespace allocd::enforcer
