// SPDX-License-Identifier: Apache-2.0
#include "kernel/meminfo.hpp"

#include "base/text.hpp"

namespace allocd::kernel {

namespace {

constexpr std::uint64_t kKibibyte = 1024;

// "Node 12 " in front of each line of a node's file.
bool skip_node(std::string_view& line) {
  if (!line.starts_with("Node ")) return true;
  base::take_word(line);
  return base::parse_u64(base::take_word(line)).has_value();
}

}  // namespace

std::optional<MeminfoLine> take_meminfo_line(std::string_view& text) {
  std::string_view line = base::take_line(text);
  if (!skip_node(line)) return std::nullopt;
  const auto colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) return std::nullopt;
  MeminfoLine found{base::trim(line.substr(0, colon)), 0};
  if (found.key.empty()) return std::nullopt;
  std::string_view rest = line.substr(colon + 1);
  const auto number = base::parse_u64(base::take_word(rest));
  const auto unit = base::take_word(rest);
  if (!number || !base::trim(rest).empty() || (!unit.empty() && unit != "kB")) return std::nullopt;
  if (!unit.empty() && *number > UINT64_MAX / kKibibyte) return std::nullopt;
  found.value = unit.empty() ? *number : *number * kKibibyte;
  return found;
}

}  // namespace allocd::kernel
