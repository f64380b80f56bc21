// SPDX-License-Identifier: Apache-2.0
#include "settings/policy_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <set>

#include "base/text.hpp"

namespace allocd::settings {

namespace {

constexpr std::size_t kLongestPath = 4095;
constexpr std::string_view kUrlHint = "write it as http://127.0.0.1:8000/health";

bool is_graphic(char c) {
  return c > ' ' && c < 0x7F;
}

// What the dynamic linker would read out of the path, besides the path.
std::optional<ValueError> preload_trap(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == ' ')
      return ValueError{"the dynamic linker would split it at the blank", "rename or link the file"};
    if (c == ':')
      return ValueError{"the dynamic linker would split it at the ':'", "rename or link the file"};
    if (c == '$') return ValueError{"the dynamic linker would expand the '$'", "write the path out"};
    if (byte < 0x20 || byte == 0x7F) return ValueError{"it has a control character", ""};
  }
  return std::nullopt;
}

// An absolute path that is written out.
std::expected<std::string, ValueError> parse_parts(std::string_view text) {
  if (base::escape_for_terminal(text) != text) return refuse("it has a control character");
  for (const auto part : base::split(text.substr(1), '/')) {
    if (part.empty()) return refuse("it has an empty part", "write single '/', and none at the end");
    if (part == "." || part == "..") {
      return refuse(fmt::format("it has a part {}", quoted(part)), "write the path out");
    }
  }
  return std::string(text);
}

}  // namespace

std::expected<std::string, ValueError> parse_preload_path(std::string_view text) {
  if (text.empty()) return refuse("it is empty", "write the path of a shared library");
  if (!text.starts_with('/')) return refuse("it does not begin with '/'", "write the whole path");
  if (text.size() > kLongestPath) return refuse(fmt::format("a path is at most {} bytes long", kLongestPath));
  if (auto trap = preload_trap(text)) return std::unexpected(std::move(*trap));
  return parse_parts(text);
}

std::expected<std::string, ValueError> parse_file_pattern(std::string_view text) {
  if (text.empty()) return refuse("it is empty", "write the path of model files");
  if (!text.starts_with('/')) return refuse("it does not begin with '/'", "write the whole path");
  if (text.size() > kLongestPath) return refuse(fmt::format("a path is at most {} bytes long", kLongestPath));
  return parse_parts(text);
}

// ---- jemalloc's options ----------------------------------------------------------------------------------

namespace {

bool is_option_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

std::expected<std::string_view, ValueError> parse_option(std::string_view pair) {
  if (pair.empty()) return refuse("an option is missing between two ','", "remove the ','");
  const auto colon = pair.find(':');
  if (colon == std::string_view::npos) {
    const auto equals = pair.find('=');
    const std::string hint =
        equals == std::string_view::npos
            ? "write key:value pairs with ',' between them"
            : fmt::format("write {}:{}", pair.substr(0, equals), pair.substr(equals + 1));
    return refuse(fmt::format("{} has no ':'", quoted(pair)), hint);
  }
  const auto key = pair.substr(0, colon);
  if (key.empty() || !std::ranges::all_of(key, is_option_character)) {
    return refuse(fmt::format("{} is no name of an option", quoted(key)),
                  "write key:value pairs with ',' between them");
  }
  if (colon + 1 == pair.size()) return refuse(fmt::format("the option {} has no value", quoted(key)));
  return key;
}

}  // namespace

std::expected<std::string, ValueError> parse_malloc_conf(std::string_view text) {
  if (text.empty()) return refuse("it is empty", "leave the key out");
  if (!std::ranges::all_of(text, is_graphic)) {
    return refuse("it has a blank, or a character that is not ASCII",
                  "write key:value,key:value without blanks");
  }
  if (text.ends_with(',')) return refuse("it ends with a ','", "remove the ','");
  std::set<std::string_view> keys;
  for (const auto pair : base::split(text, ',')) {
    const auto key = parse_option(pair);
    if (!key) return std::unexpected(key.error());
    if (!keys.insert(*key).second) {
      return refuse(fmt::format("the option {} stands there twice", quoted(*key)), "keep one of them");
    }
  }
  return std::string(text);
}

// ---- health URL ------------------------------------------------------------------------------------------

namespace {

constexpr std::string_view kScheme = "http://";

// Takes "127.0.0.1", "[::1]" or "localhost" off `rest`, up to the port or the path.
std::expected<std::string, ValueError> take_host(std::string_view& rest) {
  const auto authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) {
    return refuse("it holds a user name", "the health URL is asked without a password");
  }
  // Between the brackets of an IPv6 address a ':' begins no port.
  const auto address_end = std::min(authority.find(']'), authority.size());
  const auto host = authority.substr(0, authority.find(':', authority.starts_with('[') ? address_end : 0));
  constexpr std::array<std::string_view, 3> kLoopback{"127.0.0.1", "[::1]", "localhost"};
  if (std::ranges::find(kLoopback, host) == kLoopback.end()) {
    return refuse(fmt::format("{} is not the loopback of this host", quoted(host)),
                  "write 127.0.0.1, [::1] or localhost");
  }
  rest.remove_prefix(host.size());
  return std::string(host == "[::1]" ? "::1" : host);
}

std::expected<std::uint16_t, ValueError> take_port(std::string_view& rest) {
  if (!rest.starts_with(':')) return refuse("it has no port", std::string(kUrlHint));
  const auto digits = rest.substr(1, std::min(rest.find_first_of("/?#"), rest.size()) - 1);
  const auto port = base::parse_u64(digits);
  if (!port || *port == 0 || *port > 65535 || digits.starts_with('0')) {
    return refuse(fmt::format("{} is not a port", quoted(digits)), "write 1 to 65535");
  }
  rest.remove_prefix(1 + digits.size());
  return static_cast<std::uint16_t>(*port);
}

}  // namespace

std::expected<HealthUrl, ValueError> parse_health_url(std::string_view text) {
  if (text.empty()) return refuse("it is empty", "leave the key out");
  if (!std::ranges::all_of(text, is_graphic)) {
    return refuse("it has a blank, or a character that is not ASCII", "write such characters as %20");
  }
  if (!text.starts_with(kScheme)) {
    return refuse(text.starts_with("https://") ? "only http:// is asked" : "it does not begin with http://",
                  std::string(kUrlHint));
  }
  auto rest = text.substr(kScheme.size());
  auto host = take_host(rest);
  if (!host) return std::unexpected(host.error());
  const auto port = take_port(rest);
  if (!port) return std::unexpected(port.error());
  if (!rest.starts_with('/')) return refuse("it has no path", std::string(kUrlHint));
  if (rest.find('#') != std::string_view::npos)
    return refuse("it has a '#'", "a server never sees what follows it");
  return HealthUrl{std::move(*host), *port, std::string(rest)};
}

}  // namespace allocd::settings
