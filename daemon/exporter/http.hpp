// SPDX-License-Identifier: Apache-2.0
// The parts of HTTP that are ours to decide: when a request head is whole, whether gzip is welcome, how long
// a scrape may take. The protocol itself is libmicrohttpd's. Pure; safe from any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace allocd::exporter {

// A request head may not be longer. Prometheus sends about 300 bytes.
inline constexpr std::size_t kMaxHead = 8192;

enum class Head {
  incomplete,
  complete,
  malformed,  // not HTTP, whatever may follow
  too_long
};
// Looks at the first bytes a client has sent.
[[nodiscard]] Head inspect_head(std::string_view bytes);

// RFC 9110, 12.5.3: "gzip", "gzip;q=0.5, identity", "*", but not "gzip;q=0".
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);

// gzip at the fastest level: the page shrinks thirtyfold even so.
[[nodiscard]] std::string compress_gzip(std::string_view text);

inline constexpr std::chrono::milliseconds kDefaultPatience{3000};
inline constexpr std::chrono::milliseconds kMaxPatience{5000};
// From X-Prometheus-Scrape-Timeout-Seconds: how long to wait for a snapshot, so that the answer still gets
// back in time. "" and nonsense give the default.
[[nodiscard]] std::chrono::milliseconds decide_patience(std::string_view scrape_timeout_seconds);

[[nodiscard]] std::string render_landing_page(std::string_view version, std::string_view telemetry_path);

}  // namespace allocd::exporter
