// SPDX-License-Identifier: Apache-2.0
#include "host/journal.hpp"

// Where in our source a message came from is no news to an operator.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>  // program_invocation_short_name
#include <cstdlib>

#include "host/journal_format.hpp"

namespace allocd::host {

namespace {

std::atomic<int> finest_priority{static_cast<int>(Priority::info)};

bool is_wanted(Priority priority) {
  return static_cast<int>(priority) <= finest_priority.load();
}

class StderrJournal final : public Journal {
 public:
  void log(Priority priority, std::string_view /*message_id*/, std::string_view message,
           const std::vector<Field>& /*fields*/) override {
    if (!is_wanted(priority)) return;
    // One write, so that lines of several threads do not mix. If stderr is gone there is no one to tell.
    const std::string line = render_stderr_line(program_invocation_short_name, message);
    static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
  }
};

class NativeJournal final : public Journal {
 public:
  void log(Priority priority, std::string_view message_id, std::string_view message,
           const std::vector<Field>& fields) override {
    if (!is_wanted(priority)) return;
    auto lines = render_journal_fields(program_invocation_short_name, priority, message_id, message, fields);
    std::vector<iovec> parts;
    parts.reserve(lines.size());
    for (std::string& line : lines) parts.push_back({.iov_base = line.data(), .iov_len = line.size()});
    if (sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) < 0) {
      fallback_.log(priority, message_id, message, fields);  // stderr reaches the journal by another way
    }
  }

 private:
  StderrJournal fallback_;
};

}  // namespace

Journal& process_journal() {
  static StderrJournal plain;
  static NativeJournal native;
  static Journal& chosen = [&]() -> Journal& {
    const char* stream = std::getenv("JOURNAL_STREAM");
    if (stream != nullptr && is_journal_stream(stream, STDERR_FILENO)) return native;
    return plain;
  }();
  return chosen;
}

void set_max_priority(Priority finest) {
  finest_priority = static_cast<int>(finest);
}

}  // namespace allocd::host
