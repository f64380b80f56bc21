// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal_lines.hpp"

#include <systemd/sd-journal.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "host/journal_sync.hpp"

namespace allocd::enforcer {

namespace {

constexpr std::size_t kLongest = 400;

struct Close {
  void operator()(sd_journal* journal) const { sd_journal_close(journal); }
};
using Handle = std::unique_ptr<sd_journal, Close>;

std::string message_of(sd_journal* journal) {
  constexpr std::string_view kField = "MESSAGE=";
  const void* data = nullptr;
  std::size_t size = 0;
  if (sd_journal_get_data(journal, "MESSAGE", &data, &size) < 0) return "";
  std::string_view text(static_cast<const char*>(data), size);
  text.remove_prefix(std::min(kField.size(), text.size()));
  return std::string(text.substr(0, kLongest));
}

double time_of(sd_journal* journal) {
  std::uint64_t usec = 0;
  if (sd_journal_get_realtime_usec(journal, &usec) < 0) return 0;
  return static_cast<double>(usec) / 1e6;
}

}  // namespace

std::vector<std::string> read_journal_lines(const std::string& unit, double since, std::size_t most) {
  (void)host::sync_journal(std::chrono::seconds(1));
  sd_journal* opened = nullptr;
  if (sd_journal_open(&opened, SD_JOURNAL_LOCAL_ONLY) < 0) return {};
  const Handle journal(opened);
  const auto add = [&](const std::string& match) {
    return sd_journal_add_match(opened, match.data(), match.size()) >= 0;
  };
  const bool selected = add("_SYSTEMD_UNIT=" + unit) && sd_journal_add_disjunction(opened) >= 0 &&
                        add("UNIT=" + unit) && add("_PID=1");
  if (!selected || sd_journal_seek_tail(opened) < 0) return {};
  std::vector<std::string> lines;
  while (lines.size() < most && sd_journal_previous(opened) > 0 && time_of(opened) >= since)
    lines.push_back(message_of(opened));
  std::ranges::reverse(lines);
  return lines;
}

}  // namespace allocd::enforcer
