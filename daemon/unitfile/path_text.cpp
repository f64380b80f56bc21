// SPDX-License-Identifier: Apache-2.0
#include "unitfile/path_text.hpp"

#include <climits>

#include "base/text.hpp"

namespace allocd::unitfile {

bool is_normalized_path(std::string_view path) {
  return simplify_path(path) == path;
}

std::optional<std::string> simplify_path(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  std::string out;
  for (const auto part : base::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." || part.size() > NAME_MAX) return std::nullopt;
    out.append("/").append(part);
  }
  if (out.empty()) out = "/";
  if (out.size() >= PATH_MAX) return std::nullopt;
  return out;
}

std::string_view directory_of(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == 0 || slash == std::string_view::npos) return "/";
  return path.substr(0, slash);
}

}  // namespace allocd::unitfile
