// SPDX-License-Identifier: Apache-2.0
// Input: a command line as the kernel gives it, with its first 15 bytes as comm.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/engine.hpp"

using namespace allocd::engine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const RoleClaim claim = decide_role(text, text.substr(0, 15));
  for (const auto& rank : {claim.ranks.dp, claim.ranks.pp, claim.ranks.tp, claim.ranks.ep}) {
    if (rank && *rank > kMaxRank) std::abort();
  }
  const auto words = split_cmdline(text);
  (void)decide_engine(words);
  (void)is_container_client(words);
  return 0;
}
