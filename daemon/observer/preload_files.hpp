// SPDX-License-Identifier: Apache-2.0
// When a unit's files last changed what they say about a preload: by modification time, of those files only
// that name one of the variables. A file is read once per modification. Single-threaded.
#pragma once

#include <map>
#include <span>
#include <string>

#include "host/root.hpp"

namespace allocd::observer {

class PreloadFiles {
 public:
  explicit PreloadFiles(const host::Root& root) : root_(root) {}
  // Seconds since the epoch of the newest of `paths` that mentions a preload; 0 when none does.
  [[nodiscard]] double newest(std::span<const std::string> paths);

 private:
  struct Known {
    double modified_at = -1;
    bool mentions_preload = false;
  };
  const host::Root& root_;
  std::map<std::string, Known, std::less<>> known_;
};

}  // namespace allocd::observer
