// SPDX-License-Identifier: Apache-2.0
#include "kernel/chunks.hpp"

#include <unistd.h>

#include <cerrno>
#include <string>

namespace allocd::kernel {

namespace {

constexpr std::size_t kChunk = std::size_t{64} << 10U;

}  // namespace

int visit_chunks(int fd, const std::function<int(std::string_view)>& take, const KeepGoing& keep_going) {
  std::string buffer(kChunk + kMaxLine, '\0');
  std::size_t pending = 0;  // bytes of an unfinished line at the front of the buffer
  for (;;) {
    if (keep_going && !keep_going()) return ECANCELED;
    const ssize_t count = ::read(fd, buffer.data() + pending, buffer.size() - pending);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) return pending == 0 ? 0 : EBADMSG;
    const std::string_view content(buffer.data(), pending + static_cast<std::size_t>(count));
    const auto last = content.rfind('\n');
    const std::size_t complete = last == std::string_view::npos ? 0 : last + 1;
    if (const int error = take(content.substr(0, complete)); error != 0) return error;
    pending = content.size() - complete;
    if (pending >= kMaxLine) return EBADMSG;
    buffer.replace(0, pending, content.substr(complete));
  }
}

}  // namespace allocd::kernel
