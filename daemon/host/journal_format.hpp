// SPDX-License-Identifier: Apache-2.0
// How one log message looks on its way out. Pure apart from one fstat; safe from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/journal.hpp"

namespace allocd::host {

// Whether `fd` is the stream that $JOURNAL_STREAM ("device:inode", systemd.exec(5)) speaks of. A child whose
// stderr was redirected inherits the variable but not the stream.
[[nodiscard]] bool is_journal_stream(std::string_view journal_stream, int fd);

// A-Z, 0-9 and _, not starting with _ (those are journald's own), at most 64 bytes.
[[nodiscard]] bool is_field_name(std::string_view name);

// "NAME=value" each, for sd_journal_sendv(3). A field with another name than journald takes is left out.
[[nodiscard]] std::vector<std::string> render_journal_fields(std::string_view program, Priority priority,
                                                             std::string_view message_id,
                                                             std::string_view message,
                                                             const std::vector<Field>& fields);

// "program: message" and a newline; further lines are set in by two blanks. Control characters are escaped: a
// unit name cannot forge a message.
[[nodiscard]] std::string render_stderr_line(std::string_view program, std::string_view message);

}  // namespace allocd::host
