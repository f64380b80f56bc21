// SPDX-License-Identifier: Apache-2.0
// Reads a long file of lines in chunks: a million lines need no million-line buffer, and the kernel holds a
// process's locks for one read call at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace allocd::kernel {

// Asked now and then during a long read; false stops it. Empty: never stop.
using KeepGoing = std::function<bool()>;

// Longest believable line of maps or numa_maps: numbers plus a PATH_MAX path of which each byte is escaped.
inline constexpr std::size_t kMaxLine = std::size_t{20} << 10U;

// Feeds whole lines, each with its newline and several at once, to `take`, which gives 0 or an errno value.
// Returns that, or the errno value of a failed read; ECANCELED when `keep_going` said so; EBADMSG for a line
// that is too long or does not end.
[[nodiscard]] int visit_chunks(int fd, const std::function<int(std::string_view)>& take,
                               const KeepGoing& keep_going = {});

}  // namespace allocd::kernel
