// SPDX-License-Identifier: Apache-2.0
#include "exporter/http.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/text.hpp"

namespace allocd::exporter {
namespace {

bool is_upper_letter(char c) {
  return c >= 'A' && c <= 'Z';
}

char lower(char c) {
  return is_upper_letter(c) ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, lower, lower);
}

std::optional<double> parse_decimal(std::string_view text) {
  double number = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [rest, error] = std::from_chars(begin, end, number, std::chars_format::fixed);
  if (error != std::errc() || rest != end || !std::isfinite(number)) return std::nullopt;
  return number;
}

// One element of Accept-Encoding: "gzip;q=0.5" is {"gzip", 0.5}.
struct Coding {
  std::string_view name;
  double weight = 1;
};

Coding parse_coding(std::string_view element) {
  const auto parts = base::split(element, ';');
  Coding coding{base::trim(parts.front()), 1};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string_view parameter = base::trim(parts[i]);
    if (parameter.size() < 2 || lower(parameter[0]) != 'q' || parameter[1] != '=') continue;
    coding.weight = parse_decimal(parameter.substr(2)).value_or(0);  // unreadable: take no risk
  }
  return coding;
}

constexpr std::string_view kLandingPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>allocd exporter</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; margin: 0; }}
p {{ margin: .25rem 0 1.5rem; }}
li {{ margin: .25rem 0; }}
</style>
</head>
<body>
<h1>allocd exporter</h1>
<p>Version {version}. Which malloc every inference process on this node uses, and what its memory does.</p>
<ul>
<li><a href="{path}">{path}</a>: metrics for Prometheus</li>
<li><a href="/-/healthy">/-/healthy</a>: this process is alive</li>
<li><a href="/-/ready">/-/ready</a>: a snapshot of the observer has been fetched</li>
</ul>
</body>
</html>
)html";

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

Head inspect_head(std::string_view bytes) {
  // Empty lines in front count too: nothing behind them will ever be seen.
  const Head unfinished = bytes.size() >= kMaxHead ? Head::too_long : Head::incomplete;
  // RFC 9112, 2.2: a server ignores empty lines before the request line.
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  if (bytes == "\r" || bytes.empty()) return unfinished;
  // Methods are upper-case words; a TLS hello and most scanners fail here, at their first byte.
  if (!is_upper_letter(bytes.front())) return Head::malformed;
  if (bytes.find("\r\n\r\n") != std::string_view::npos || bytes.find("\n\n") != std::string_view::npos) {
    return Head::complete;
  }
  return unfinished;
}

bool accepts_gzip(std::string_view accept_encoding) {
  std::optional<double> gzip;
  std::optional<double> any;
  for (const std::string_view element : base::split(accept_encoding, ',')) {
    const Coding coding = parse_coding(element);
    if (equals_ignoring_case(coding.name, "gzip") || equals_ignoring_case(coding.name, "x-gzip")) {
      gzip = coding.weight;
    } else if (coding.name == "*") {
      any = coding.weight;
    }
  }
  return gzip.value_or(any.value_or(0)) > 0;
}

std::string compress_gzip(std::string_view text) {
  z_stream stream{};
  constexpr int kGzipWrapper = 16;
  // Window and memory level below the defaults: 32 KiB of state instead of 256, and the page barely grows.
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWrapper + 13, 6, Z_DEFAULT_STRATEGY) != Z_OK)
    return {};
  // In pieces: a buffer of the size zlib may need at worst would be thirty times what it does need.
  std::array<char, 16384> piece{};
  std::string out;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    result = deflate(&stream, Z_FINISH);
    out.append(piece.data(), piece.size() - stream.avail_out);
  }
  (void)deflateEnd(&stream);
  return result == Z_STREAM_END ? out : std::string();
}

std::chrono::milliseconds decide_patience(std::string_view scrape_timeout_seconds) {
  const std::optional<double> timeout = parse_decimal(base::trim(scrape_timeout_seconds));
  if (!timeout || !(*timeout > 0)) return kDefaultPatience;
  // Half a second for the way back, or half of the time where that is less.
  const double seconds = std::max(*timeout - 0.5, *timeout / 2);
  const double most = std::chrono::duration<double>(kMaxPatience).count();
  const auto patience = std::chrono::duration<double>(std::min(seconds, most));
  return std::max(std::chrono::milliseconds(1),
                  std::chrono::duration_cast<std::chrono::milliseconds>(patience));
}

std::string render_landing_page(std::string_view version, std::string_view telemetry_path) {
  return fmt::format(fmt::runtime(kLandingPage), fmt::arg("version", escape_html(version)),
                     fmt::arg("path", escape_html(telemetry_path)));
}

}  // namespace allocd::exporter
