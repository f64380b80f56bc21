// SPDX-License-Identifier: Apache-2.0
// Structured log lines. A message is one plain sentence; fields say unit, pid, path, code.
//
// To the journal by its native protocol when stderr is connected to it ($JOURNAL_STREAM, systemd.exec(5)),
// else to stderr as "allocd: message". Every event an operator may act on has a message id, listed in
// message_id.hpp and explained in systemd/allocd.catalog. Only programs log; lower layers return faults.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace allocd::host {

enum class Priority { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };  // syslog(3)

// Upper-case journal field name (A-Z, 0-9, _) and value.
using Field = std::pair<std::string, std::string>;

class Journal {
 public:
  virtual ~Journal() = default;
  // `message_id` is 32 hex digits or "" when nobody needs to act on it.
  virtual void log(Priority priority, std::string_view message_id, std::string_view message,
                   const std::vector<Field>& fields) = 0;
};

// The journal or stderr, whichever this process is connected to. `max_priority` drops what is finer.
[[nodiscard]] Journal& process_journal();
void set_max_priority(Priority finest);

}  // namespace allocd::host
