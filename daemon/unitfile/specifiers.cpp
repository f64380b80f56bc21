// SPDX-License-Identifier: Apache-2.0
#include "unitfile/specifiers.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/text.hpp"
#include "host/system_directories.hpp"
#include "unitfile/path_text.hpp"

namespace allocd::unitfile {

namespace {

// Every specifier of systemd 249 to 257 that stands for something.
constexpr std::string_view kKnown = "aAbBcCdDEfgGhHiIjJlLmMnNopPqrRsStTuUvVwWyY";

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// systemd-escape(1) backwards: '-' is '/', \xNN a byte. Nothing for any other backslash.
std::optional<std::string> unescape_name(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '\\') {
      out += name[i] == '-' ? '/' : name[i];
      continue;
    }
    if (i + 3 >= name.size() || name[i + 1] != 'x') return std::nullopt;
    const auto byte = base::parse_u64(name.substr(i + 2, 2), 16);
    if (!byte) return std::nullopt;
    if (*byte == 0) return out;  // a C string ends here
    out += static_cast<char>(*byte);
    i += 3;
  }
  return out;
}

std::optional<std::string> unescape_path(std::string_view name) {
  if (name == "-") return "/";
  const auto relative = unescape_name(name);
  if (!relative || name.empty() || relative->starts_with('/') || relative->ends_with('/'))
    return std::nullopt;
  std::string path = "/" + *relative;
  if (!is_normalized_path(path)) return std::nullopt;
  return path;
}

// systemd shortens names that get too long to "prefix_<16 hex digits>.suffix"; such a name is no path.
bool is_hashed(std::string_view prefix) {
  constexpr std::size_t kDigits = 16;
  if (prefix.size() < kDigits + 1 || prefix[prefix.size() - kDigits - 1] != '_') return false;
  return prefix.substr(prefix.size() - kDigits).find_first_not_of("0123456789abcdef") ==
         std::string_view::npos;
}

struct NameParts {
  std::string_view whole;
  std::string_view without_suffix;
  std::string_view prefix;
  std::string_view instance;
  bool has_instance = false;
};

NameParts split_name(std::string_view name) {
  NameParts parts{.whole = name, .without_suffix = name.substr(0, name.rfind('.'))};
  const auto at = parts.without_suffix.find('@');
  parts.prefix = parts.without_suffix.substr(0, at);
  if (at != std::string_view::npos) {
    parts.instance = parts.without_suffix.substr(at + 1);
    parts.has_instance = !parts.instance.empty();
  }
  return parts;
}

void set(Specifiers& out, char specifier, const std::optional<std::string>& value) {
  if (value) {
    out.values[specifier] = *value;
  } else {
    out.refused += specifier;
  }
}

void add_name(Specifiers& out, const NameParts& name) {
  const auto last = name.prefix.substr(name.prefix.rfind('-') + 1);  // npos + 1 is 0
  out.values['n'] = name.whole;
  out.values['N'] = name.without_suffix;
  out.values['p'] = name.prefix;
  out.values['i'] = name.instance;
  out.values['j'] = last;
  set(out, 'P', unescape_name(name.prefix));
  set(out, 'I', unescape_name(name.instance));
  set(out, 'J', unescape_name(last));
  if (name.has_instance) {
    set(out, 'f', unescape_path(name.instance));
  } else {
    set(out, 'f', is_hashed(name.prefix) ? std::nullopt : unescape_path(name.prefix));
  }
}

void add_constants(Specifiers& out, std::string_view unit_name) {
  namespace directories = host::system_directories;
  out.values['t'] = directories::kRuntime;
  out.values['S'] = directories::kState;
  out.values['C'] = directories::kCache;
  out.values['L'] = directories::kLogs;
  out.values['E'] = directories::kConfiguration;
  out.values['T'] = directories::kTemporary;
  out.values['V'] = directories::kLargeTemporary;
  out.values['d'] = std::string(directories::kCredentials) + std::string(unit_name);
  // The system manager runs as root. Its shell is a choice of who built it.
  out.values['u'] = out.values['g'] = "root";
  out.values['U'] = out.values['G'] = "0";
  out.values['h'] = "/root";
}

}  // namespace

Specifiers Specifiers::of_unit(std::string_view unit_name, std::string_view fragment_path) {
  Specifiers out;
  add_name(out, split_name(unit_name));
  add_constants(out, unit_name);
  if (!fragment_path.empty()) {
    out.values['y'] = fragment_path;
    out.values['Y'] = directory_of(fragment_path);
  }
  return out;
}

Expansion expand_specifiers(std::string_view text, const Specifiers& specifiers) {
  Expansion out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = text[i] == '%' && i + 1 < text.size() ? text[i + 1] : '\0';
    if (next == '\0') {  // any character, or a '%' that ends the text
      out.text += text[i];
      continue;
    }
    ++i;
    const auto known = specifiers.values.find(next);
    if (next == '%') {
      out.text += '%';
    } else if (known != specifiers.values.end()) {
      out.text += known->second;
    } else if (!is_alphanumeric(next)) {
      out.text += {'%', next};
    } else if (specifiers.refused.find(next) != std::string::npos ||
               kKnown.find(next) == std::string_view::npos) {
      return {.outcome = Expansion::Outcome::refused, .text = {}, .specifier = next};
    } else {
      out.text += {'%', next};
      if (out.specifier == '\0') out.specifier = next;
      out.outcome = Expansion::Outcome::unresolved;
    }
  }
  return out;
}

}  // namespace allocd::unitfile
