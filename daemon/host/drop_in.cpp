// SPDX-License-Identifier: Apache-2.0
#include "host/drop_in.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace allocd::host {

std::string owner_of(std::string_view path) {
  constexpr std::string_view kSuffix = ".d";
  const auto directory = path.substr(0, std::min(path.rfind('/'), path.size()));
  const auto name = directory.substr(directory.rfind('/') + 1);
  return name.ends_with(kSuffix) ? std::string(name.substr(0, name.size() - kSuffix.size())) : "";
}

std::optional<std::string> template_of(std::string_view unit) {
  const auto at = unit.find('@');
  const auto dot = unit.rfind('.');
  if (at == std::string_view::npos || dot == std::string_view::npos || at + 1 >= dot) return std::nullopt;
  return fmt::format("{}{}", unit.substr(0, at + 1), unit.substr(dot));
}

std::string drop_in_directory(std::string_view units, std::string_view owner) {
  return fmt::format("{}/{}.d", units, owner);
}

std::optional<std::string> quadlet_of(std::string_view source_path) {
  constexpr std::string_view kSuffix = ".container";
  const auto name = source_path.substr(source_path.rfind('/') + 1);
  if (!name.ends_with(kSuffix) || name.size() == kSuffix.size()) return std::nullopt;
  return std::string(name);
}

bool is_quadlet_path(std::string_view path) {
  return std::ranges::any_of(std::array{kRuntimeQuadlets, kSystemQuadlets}, [&](std::string_view quadlets) {
    return path.starts_with(quadlets) && path.substr(quadlets.size()).starts_with('/');
  });
}

std::vector<std::string> quadlet_drop_in_directories(std::string_view quadlet) {
  std::vector<std::string> owners{std::string(quadlet)};
  if (auto whole = template_of(quadlet)) owners.push_back(std::move(*whole));
  std::vector<std::string> directories;
  for (const std::string_view base :
       {kRuntimeQuadlets, kSystemQuadlets, std::string_view("/usr/share/containers/systemd")}) {
    for (const auto& owner : owners) directories.push_back(drop_in_directory(base, owner));
  }
  return directories;
}

std::vector<std::string> owned_paths_of(std::string_view unit, std::string_view source_path) {
  std::vector<std::string> owners{std::string(unit)};
  if (auto whole = template_of(unit)) owners.push_back(std::move(*whole));
  std::vector<std::string> paths;
  const auto add = [&](std::string_view units, std::string_view owner) {
    for (const auto name : {kDropInName, kEnvironmentFileName})
      paths.push_back(fmt::format("{}/{}", drop_in_directory(units, owner), name));
  };
  for (const auto units : {kSystemUnits, kRuntimeUnits}) {
    for (const auto& owner : owners) add(units, owner);
  }
  if (const auto quadlet = quadlet_of(source_path)) {
    for (const auto quadlets : {kRuntimeQuadlets, kSystemQuadlets}) add(quadlets, *quadlet);
  }
  return paths;
}

std::vector<std::string> drop_in_paths_of(std::string_view unit) {
  std::vector<std::string> paths;
  for (const auto units : {kSystemUnits, kRuntimeUnits}) {
    paths.push_back(fmt::format("{}/{}", drop_in_directory(units, unit), kDropInName));
    if (const auto whole = template_of(unit))
      paths.push_back(fmt::format("{}/{}", drop_in_directory(units, *whole), kDropInName));
  }
  return paths;
}

}  // namespace allocd::host
