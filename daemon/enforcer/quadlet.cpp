// SPDX-License-Identifier: Apache-2.0
#include "enforcer/quadlet.hpp"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "host/drop_in.hpp"
#include "unitfile/read.hpp"

namespace allocd::enforcer {

std::vector<unitfile::SourceText> read_quadlet(const host::Root& root, const host::UnitFacts& facts) {
  const auto quadlet = host::quadlet_of(facts.source_path);
  if (!quadlet) return {};
  std::map<std::string, std::string> by_name;
  for (const auto& directory : host::quadlet_drop_in_directories(*quadlet)) {
    const auto names = root.list_directory(directory);
    if (!names) continue;
    for (const auto& name : *names) {
      if (name.ends_with(".conf")) by_name.emplace(name, fmt::format("{}/{}", directory, name));
    }
  }
  std::vector<std::string> drop_ins;
  drop_ins.reserve(by_name.size());
  for (auto& [name, path] : by_name) drop_ins.push_back(std::move(path));
  auto sources = unitfile::read_sources(root, facts.name, facts.source_path, drop_ins, {});
  return sources.doubts.empty() ? std::move(sources.files) : std::vector<unitfile::SourceText>{};
}

}  // namespace allocd::enforcer
