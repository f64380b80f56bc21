// SPDX-License-Identifier: Apache-2.0
#include "observer/policy_digests.hpp"

#include <cstddef>

namespace allocd::observer {

const enforcer::Digest& PolicyDigests::look(const settings::Service& service,
                                            const std::string& root_directory, Time now,
                                            std::chrono::milliseconds age) {
  constexpr std::size_t kMostKnown = 1024;
  if (known_.size() > kMostKnown) known_.clear();
  const auto [at, is_new] = known_.try_emplace({service.name, root_directory});
  Known& known = at->second;
  if (is_new || now - known.read_at >= age || known.service != service)
    known = {service, read_(service, root_directory), now};
  return known.digest;
}

}  // namespace allocd::observer
