// SPDX-License-Identifier: Apache-2.0
#include "preflight/capture.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace allocd::preflight {

namespace {

// A caller may have closed its own stdio; a pipe must not take those numbers.
base::UniqueFd above_stdio(int fd) {
  const base::UniqueFd low(fd);
  return base::UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

}  // namespace

base::Result<Capture> Capture::open(std::size_t limit) {
  Capture capture(limit);
  for (Stream& stream : capture.streams_) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return base::fault_from_errno("make", "a pipe", errno);
    stream.read_end = above_stdio(ends[0]);
    stream.write_end = above_stdio(ends[1]);
    if (!stream.read_end || !stream.write_end || ::fcntl(stream.read_end.get(), F_SETFL, O_NONBLOCK) != 0) {
      return base::fault_from_errno("set up", "a pipe", errno);
    }
  }
  return capture;
}

void Capture::close_write_ends() {
  for (Stream& stream : streams_) stream.write_end.reset();
}

void Capture::drain() {
  for (Stream& stream : streams_) drain(stream);
}

void Capture::drain(Stream& stream) {
  constexpr int kMaxReads = 64;  // of 4 KiB: who writes faster than we read must not keep us here
  std::array<char, 4096> chunk{};
  for (int i = 0; i < kMaxReads && stream.read_end; ++i) {
    const ssize_t count = ::read(stream.read_end.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      stream.read_end.reset();
      return;
    }
    const std::size_t room = limit_ - stream.text.size();
    const auto size = static_cast<std::size_t>(count);
    stream.text.append(chunk.data(), std::min(room, size));
    flooded_ = flooded_ || size > room;
  }
}

}  // namespace allocd::preflight
