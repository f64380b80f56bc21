// SPDX-License-Identifier: Apache-2.0
#include "kernel/maps.hpp"

#include <cerrno>

#include "base/text.hpp"
#include "kernel/chunks.hpp"

namespace allocd::kernel {

namespace {

std::optional<std::uint64_t> take_hex(std::string_view& text, char until) {
  const auto end = text.find(until);
  if (end == std::string_view::npos) return std::nullopt;
  const auto number = base::parse_u64(text.substr(0, end), 16);
  text.remove_prefix(end + 1);
  return number;
}

}  // namespace

std::optional<Mapping> parse_maps_line(std::string_view line) {
  Mapping mapping;
  const auto start = take_hex(line, '-');
  const auto end = take_hex(line, ' ');
  if (!start || !end || *end < *start) return std::nullopt;
  const auto flags = base::take_word(line);
  if (flags.size() != 4) return std::nullopt;
  const auto offset = base::parse_u64(base::take_word(line), 16);
  auto device = base::take_word(line);
  const auto major = take_hex(device, ':');
  const auto minor = base::parse_u64(device, 16);
  const auto inode = base::parse_u64(base::take_word(line));
  if (!offset || !major || !minor || !inode || *major > UINT32_MAX || *minor > UINT32_MAX)
    return std::nullopt;
  mapping.start = *start;
  mapping.end = *end;
  mapping.readable = flags[0] == 'r';
  mapping.writable = flags[1] == 'w';
  mapping.executable = flags[2] == 'x';
  mapping.is_private = flags[3] == 'p';
  mapping.offset = *offset;
  mapping.device_major = static_cast<std::uint32_t>(*major);
  mapping.device_minor = static_cast<std::uint32_t>(*minor);
  mapping.inode = *inode;
  const auto path = line.find_first_not_of(' ');
  mapping.path = path == std::string_view::npos ? std::string_view{} : line.substr(path);
  return mapping;
}

std::string unescape_maps_path(std::string_view path) {
  constexpr std::string_view kNewline = "\\012";
  std::string out;
  for (;;) {
    const auto at = path.find(kNewline);
    out.append(path.substr(0, at));
    if (at == std::string_view::npos) return out;
    out.push_back('\n');
    path.remove_prefix(at + kNewline.size());
  }
}

int visit_maps_text(std::string_view text, const std::function<void(const Mapping&)>& visit) {
  while (!text.empty()) {
    const auto mapping = parse_maps_line(base::take_line(text));
    if (!mapping) return EBADMSG;
    visit(*mapping);
  }
  return 0;
}

int visit_maps(int fd, const std::function<void(const Mapping&)>& visit,
               const std::function<bool()>& keep_going) {
  return visit_chunks(fd, [&](std::string_view lines) { return visit_maps_text(lines, visit); }, keep_going);
}

}  // namespace allocd::kernel
