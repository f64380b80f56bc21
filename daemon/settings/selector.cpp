// SPDX-License-Identifier: Apache-2.0
#include "settings/selector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "base/text.hpp"

namespace allocd::settings {

namespace {

constexpr std::string_view kService = ".service";
constexpr std::size_t kLongestUnitName = 255;  // UNIT_NAME_MAX of systemd, less its NUL
constexpr std::size_t kLongestPath = 4095;

// Unit types that hold processes of their own, and those that only start or order services.
constexpr std::array<std::string_view, 2> kCgroupSuffixes{".scope", ".slice"};
constexpr std::array<std::string_view, 8> kOtherSuffixes{".socket", ".device", ".mount", ".automount",
                                                         ".swap",   ".target", ".path",  ".timer"};

// Where the bracket expression that opens `text` ends (past its ']'), or nothing when it is not closed.
std::optional<std::size_t> bracket_end(std::string_view text) {
  std::size_t first = 1;
  if (first < text.size() && (text[first] == '!' || text[first] == '^')) ++first;
  const auto close = text.find(']', first + 1);  // a ']' in first place stands for itself
  if (close == std::string_view::npos) return std::nullopt;
  return close + 1;
}

// `text` with each bracket expression replaced by '?', so that its characters can be checked one by one.
std::expected<std::string, ValueError> without_brackets(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    if (text[0] != '[') {
      plain += text[0];
      text.remove_prefix(1);
      continue;
    }
    const auto end = bracket_end(text);
    if (!end) return refuse("its '[' is not closed", "write a set such as '[ab]'");
    plain += '?';
    text.remove_prefix(*end);
  }
  return plain;
}

bool is_unit_character(char c) {
  const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return alphanumeric || std::string_view(":-_.\\@*?").find(c) != std::string_view::npos;
}

std::string hint_for_path(std::string_view text) {
  if (text.ends_with(kService)) return fmt::format("write unit: {}", text.substr(text.rfind('/') + 1));
  return fmt::format("a control group is selected by cgroup: {}", text);
}

std::expected<void, ValueError> check_unit_characters(std::string_view text) {
  if (text.find('/') != std::string_view::npos) {
    return refuse("a unit name holds no '/'", text.starts_with('/') ? hint_for_path(text) : "");
  }
  if (base::escape_for_terminal(text) != text) return refuse("the name has a control character");
  const auto plain = without_brackets(text);
  if (!plain) return std::unexpected(plain.error());
  const auto bad = std::ranges::find_if_not(*plain, is_unit_character);
  if (bad == plain->end()) return {};
  const auto rest = std::string_view(*plain).substr(static_cast<std::size_t>(bad - plain->begin()));
  return refuse(fmt::format("a unit name holds no {}", quoted(rest.substr(0, character_length(rest)))),
                *bad == '{' || *bad == ',' ? "write one selector for each unit" : "");
}

std::expected<void, ValueError> check_unit_type(std::string_view text) {
  const auto ends = [&](std::string_view suffix) { return text.ends_with(suffix); };
  if (const auto suffix = std::ranges::find_if(kCgroupSuffixes, ends); suffix != kCgroupSuffixes.end()) {
    return refuse(fmt::format("a {} unit is not selected by its name", *suffix),
                  fmt::format("select its control group, such as cgroup: /system.slice/{}", text));
  }
  if (const auto suffix = std::ranges::find_if(kOtherSuffixes, ends); suffix != kOtherSuffixes.end()) {
    return refuse(
        fmt::format("a {} unit runs no processes of its own", *suffix),
        fmt::format("select the service it starts: {}{}", text.substr(0, text.rfind('.')), kService));
  }
  return {};
}

}  // namespace

std::expected<std::string, ValueError> parse_unit_pattern(std::string_view text) {
  if (text.empty()) return refuse("the selector is empty", "write a unit name, such as vllm.service");
  if (const auto good = check_unit_characters(text); !good) return std::unexpected(good.error());
  if (const auto good = check_unit_type(text); !good) return std::unexpected(good.error());
  const auto stem = text.ends_with(kService) ? text.substr(0, text.size() - kService.size()) : text;
  if (stem.empty() || stem.starts_with('@')) {
    return refuse("the unit has no name", "write a unit name, such as vllm.service");
  }
  if (stem.ends_with('@')) {
    return refuse("a template runs no processes, its instances do",
                  fmt::format("write {}*{}", stem, kService));
  }
  if (stem.size() + kService.size() > kLongestUnitName) {
    return refuse(fmt::format("a unit name is at most {} bytes long", kLongestUnitName));
  }
  return std::string(stem) + std::string(kService);
}

namespace {

std::expected<void, ValueError> check_components(std::string_view path) {
  const auto components = base::split(path.substr(1), '/');
  for (const auto component : components) {
    if (component.empty())
      return refuse("the path has an empty part", "write single '/', and none at the end");
    if (component == "." || component == "..") {
      return refuse(fmt::format("the path has a part {}", quoted(component)), "write the path out");
    }
  }
  if (components.size() > 2 && components[0] == "sys" && components[1] == "fs" && components[2] == "cgroup") {
    return refuse("the path begins below the cgroup mount, not at the root of the file system",
                  "leave the mount point out, as systemctl show -p ControlGroup does");
  }
  return {};
}

}  // namespace

std::expected<std::string, ValueError> parse_cgroup_pattern(std::string_view text) {
  if (text.empty()) {
    return refuse("the selector is empty", "write a path, such as /machine.slice/libpod-*.scope");
  }
  if (!text.starts_with('/')) {
    return refuse("the path does not begin with '/'",
                  text.ends_with(kService) ? fmt::format("a service is selected by unit: {}", text) : "");
  }
  if (text == "/") return refuse("the root selects the whole machine", "name the slice or the scope");
  if (text.size() > kLongestPath) return refuse(fmt::format("a path is at most {} bytes long", kLongestPath));
  if (base::escape_for_terminal(text) != text) return refuse("the path has a control character");
  if (const auto plain = without_brackets(text); !plain) return std::unexpected(plain.error());
  if (const auto good = check_components(text); !good) return std::unexpected(good.error());
  return std::string(text);
}

}  // namespace allocd::settings
