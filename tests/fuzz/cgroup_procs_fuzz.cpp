// SPDX-License-Identifier: Apache-2.0
// Any bytes as cgroup.procs: what is visited is a pid that stands there, no more often than there are lines.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "kernel/cgroup.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  allocd::kernel::visit_group_processes(text, [&](pid_t pid) {
    if (pid <= 0 || lines-- == 0 || text.find(std::to_string(pid)) == std::string_view::npos) std::abort();
  });
  return 0;
}
