// SPDX-License-Identifier: Apache-2.0
// Files of /sys and /proc/sys that hold one line, Documentation/filesystems/sysfs.rst: a number, a switch, a
// choice among words, a list of ids.
//
// A kernel ends every such file with a newline. Text without one was cut short, and "6553" of "65530\n" would
// be a wrong figure, so it is no value; neither is empty text, a second line or a byte that is not printable
// ASCII. Views point into the text given. Pure; safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace allocd::kernel {

// No kernel has more CPUs or nodes than this (NR_CPUS of the largest distribution kernel is 8192).
inline constexpr unsigned kMaxId = 65535;

// "always [madvise] never": `chosen` is "madvise". A file that holds a bare word or number ("defer", "1") is
// a choice without a menu.
struct Selection {
  std::string_view chosen;
  std::vector<std::string_view> options;  // all words in their order, the chosen one too
};

// The line without its newline and outer blanks; "" for a file that holds "\n".
[[nodiscard]] std::optional<std::string_view> parse_line(std::string_view text);
// "2097152\n".
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);
// "0\n" or "1\n".
[[nodiscard]] std::optional<bool> parse_switch(std::string_view text);
// One word is chosen, never none and never two.
[[nodiscard]] std::optional<Selection> parse_selection(std::string_view text);
// "0-3,8\n", a cpulist or nodelist: rising ids, at most kMaxId. "\n" is the empty list: a node without CPUs.
[[nodiscard]] std::optional<std::vector<unsigned>> parse_id_list(std::string_view text);
// The same without a newline, as such a list stands in a line of /proc/PID/status: "0-3,8", "" for none.
[[nodiscard]] std::optional<std::vector<unsigned>> parse_ids(std::string_view list);
// "10 21 31\n", a node's distances. Never empty.
[[nodiscard]] std::optional<std::vector<std::uint64_t>> parse_numbers(std::string_view text);

}  // namespace allocd::kernel
