// SPDX-License-Identifier: Apache-2.0
#include "host/journal_format.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/text.hpp"

namespace allocd::host {

bool is_journal_stream(std::string_view journal_stream, int fd) {
  const auto parts = base::split(journal_stream, ':');
  if (parts.size() != 2) return false;
  const auto device = base::parse_u64(parts[0]);
  const auto inode = base::parse_u64(parts[1]);
  struct stat status{};
  return device && inode && ::fstat(fd, &status) == 0 && status.st_dev == *device && status.st_ino == *inode;
}

bool is_field_name(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  const auto allowed = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && name.size() <= kLongest && name.front() >= 'A' &&
         std::ranges::all_of(name, allowed) && name.front() != '_';
}

std::vector<std::string> render_journal_fields(std::string_view program, Priority priority,
                                               std::string_view message_id, std::string_view message,
                                               const std::vector<Field>& fields) {
  std::vector<std::string> lines{fmt::format("PRIORITY={}", static_cast<int>(priority)),
                                 fmt::format("SYSLOG_IDENTIFIER={}", program),
                                 fmt::format("MESSAGE={}", message)};
  if (!message_id.empty()) lines.push_back(fmt::format("MESSAGE_ID={}", message_id));
  for (const auto& [name, value] : fields) {
    if (is_field_name(name)) lines.push_back(fmt::format("{}={}", name, value));
  }
  return lines;
}

std::string render_stderr_line(std::string_view program, std::string_view message) {
  std::string text = fmt::format("{}: {}\n", program, base::escape_for_terminal(base::take_line(message)));
  // Further lines are set in, so that none of them can pass for a message of its own.
  while (!message.empty()) text += fmt::format("  {}\n", base::escape_for_terminal(base::take_line(message)));
  return text;
}

}  // namespace allocd::host
