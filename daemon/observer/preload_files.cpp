// SPDX-License-Identifier: Apache-2.0
#include "observer/preload_files.hpp"

#include <algorithm>
#include <cstddef>

namespace allocd::observer {

namespace {

constexpr std::size_t kMaxUnitFile = std::size_t{1} << 20U;
constexpr std::size_t kMaxKnown = 4096;

bool mentions_preload(const host::Root& root, const std::string& path) {
  const auto text = root.read_file(path, kMaxUnitFile);
  // A file we may not read may say anything.
  return !text || text->find("LD_PRELOAD") != std::string::npos ||
         text->find("EnvironmentFile") != std::string::npos;
}

}  // namespace

double PreloadFiles::newest(std::span<const std::string> paths) {
  double newest = 0;
  for (const std::string& path : paths) {
    if (path.empty()) continue;
    const auto status = root_.status(path);
    if (!status) continue;
    const double modified_at =
        static_cast<double>(status->st_mtim.tv_sec) + static_cast<double>(status->st_mtim.tv_nsec) * 1e-9;
    if (known_.size() > kMaxKnown) known_.clear();
    Known& known = known_[path];
    if (known.modified_at != modified_at) known = {modified_at, mentions_preload(root_, path)};
    if (known.mentions_preload) newest = std::max(newest, modified_at);
  }
  return newest;
}

}  // namespace allocd::observer
