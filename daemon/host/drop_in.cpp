// SPDX-License-Identifier: Apache-2.0
#include "host/drop_in.hpp"

#include <fmt/format.h>

namespace allocd::host {

namespace {

std::string path_of(std::string_view unit) {
  return fmt::format("/etc/systemd/system/{}.d/{}", unit, kDropInName);
}

}  // namespace

std::vector<std::string> drop_in_paths_of(std::string_view unit) {
  std::vector<std::string> paths{path_of(unit)};
  const auto at = unit.find('@');
  const auto dot = unit.rfind('.');
  if (at != std::string_view::npos && dot != std::string_view::npos && at + 1 < dot) {
    paths.push_back(path_of(fmt::format("{}{}", unit.substr(0, at + 1), unit.substr(dot))));
  }
  return paths;
}

}  // namespace allocd::host
