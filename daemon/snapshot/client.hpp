// SPDX-License-Identifier: Apache-2.0
// Fetches the newest snapshot from the observer's socket (unix(7), SOCK_STREAM).
//
// Protocol: connect, and the observer sends one JSON document and closes. Nothing is sent to it. The summary
// socket beside it sends the same document with its `processes` lists empty: a tenth of the size or less, and
// all that metrics need.
// The whole exchange has one deadline and one size limit. Blocking; call it off any loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "base/result.hpp"
#include "snapshot/json.hpp"

namespace allocd::snapshot {

inline constexpr const char* kDefaultSocket = "/run/allocd/snapshot.sock";
inline constexpr const char* kDefaultSummarySocket = "/run/allocd/summary.sock";

struct FetchOptions {
  std::string socket_path = kDefaultSocket;
  std::chrono::milliseconds deadline{3000};
  std::size_t size_limit = std::size_t{256} << 20U;
};

[[nodiscard]] base::Result<std::string> fetch_text(const FetchOptions& options);
[[nodiscard]] base::Result<Snapshot> fetch(const FetchOptions& options, Detail detail = Detail::everything);

}  // namespace allocd::snapshot
