// SPDX-License-Identifier: Apache-2.0
#include "observer/read_process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "allocator/fingerprint.hpp"
#include "base/unique_fd.hpp"

namespace allocd::observer {

namespace {

// A command line can be as long as the process likes; what names it stands at the front.
constexpr std::size_t kMaxCommandLine = std::size_t{32} << 10U;

std::optional<std::string> read_command_line(int directory) {
  const base::UniqueFd fd(::openat(directory, "cmdline", O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  std::string text(kMaxCommandLine, '\0');
  std::size_t used = 0;
  while (used < text.size()) {
    const ssize_t count = ::read(fd.get(), text.data() + used, text.size() - used);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
  }
  text.resize(used);
  return text;
}

Reading read_process(const allocator::ProcessHandle& process, Want want,
                     const allocator::KeepGoing& keep_going, allocator::FingerprintCache& fingerprints) {
  Reading reading;
  reading.command_line = read_command_line(process.directory);
  if (want == Want::evidence) reading.identification = allocator::identify(process, fingerprints, keep_going);
  return reading;
}

}  // namespace

EvidencePool::Read make_process_reader() {
  return [fingerprints = std::make_shared<allocator::FingerprintCache>()](
             const allocator::ProcessHandle& process, Want want, const allocator::KeepGoing& keep_going) {
    return read_process(process, want, keep_going, *fingerprints);
  };
}

}  // namespace allocd::observer
