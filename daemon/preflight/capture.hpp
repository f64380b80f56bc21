// SPDX-License-Identifier: Apache-2.0
// The stdout and stderr of a program under test: two pipes, read without waiting, up to a limit.
//
// Past the limit the rest is read and thrown away, so that the program is not held up, and `flooded` is set.
// The end of a pipe is not waited for: a process that was left behind may hold it open for ever.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace allocd::preflight {

class Capture {
 public:
  [[nodiscard]] static base::Result<Capture> open(std::size_t limit);

  // The ends for the program; never 0, 1 or 2.
  [[nodiscard]] int output_fd() const { return streams_[0].write_end.get(); }
  [[nodiscard]] int errors_fd() const { return streams_[1].write_end.get(); }
  // Once the program has them: our copies would keep the pipes from ending.
  void close_write_ends();

  // The ends to poll for POLLIN; -1 for one that has ended, which poll(2) skips.
  [[nodiscard]] int output_read_fd() const { return streams_[0].read_end.get(); }
  [[nodiscard]] int errors_read_fd() const { return streams_[1].read_end.get(); }
  // Takes what is there now.
  void drain();

  [[nodiscard]] bool flooded() const { return flooded_; }
  [[nodiscard]] std::string& output() { return streams_[0].text; }
  [[nodiscard]] std::string& errors() { return streams_[1].text; }

 private:
  struct Stream {
    base::UniqueFd read_end;
    base::UniqueFd write_end;
    std::string text;
  };
  explicit Capture(std::size_t limit) : limit_(limit) {}
  void drain(Stream& stream);

  std::size_t limit_;
  bool flooded_ = false;
  std::array<Stream, 2> streams_;
};

}  // namespace allocd::preflight
