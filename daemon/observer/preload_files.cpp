// SPDX-License-Identifier: Apache-2.0
#include "observer/preload_files.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "host/drop_in.hpp"
#include "policy/desired.hpp"

namespace allocd::observer {

namespace {

constexpr std::size_t kMaxUnitFile = std::size_t{1} << 20U;
constexpr std::size_t kMaxKnown = 4096;

double to_seconds(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

bool mentions_preload(const host::Root& root, const std::string& path) {
  const auto text = root.read_file(path, kMaxUnitFile);
  // A file we may not read may say anything.
  return !text || text->contains("EnvironmentFile") ||
         std::ranges::any_of(policy::kVariables, [&](const auto name) { return text->contains(name); });
}

}  // namespace

double PreloadFiles::loaded_at(const host::UnitFacts& facts, double units_loaded_at) {
  auto paths = facts.drop_in_paths;
  if (host::quadlet_of(facts.source_path)) {
    // Its unit is made anew with each daemon-reload, and its time says nothing.
    paths = host::owned_paths_of(facts.name, facts.source_path);
    paths.push_back(facts.source_path);
  } else {
    paths.push_back(facts.fragment_path);
  }
  Setting setting = setting_of(facts);
  const auto [known, is_new] = loaded_.try_emplace(facts.name);
  if (is_new) {
    known->second = {std::move(setting), newest(paths)};
  } else if (known->second.setting != setting) {
    known->second = {std::move(setting), std::max(newest(paths), units_loaded_at)};
  }
  return known->second.at;
}

void PreloadFiles::forget_unless(const std::function<bool(const std::string&)>& is_watched) {
  std::erase_if(loaded_, [&](const auto& entry) { return !is_watched(entry.first); });
}

PreloadFiles::Setting PreloadFiles::setting_of(const host::UnitFacts& facts) {
  Setting setting{{}, facts.unset_environment, {facts.root_directory}, {}};
  for (const std::string& variable : facts.environment) {
    const auto name = std::string_view(variable).substr(0, variable.find('='));
    if (std::ranges::find(policy::kVariables, name) != policy::kVariables.end())
      setting.front().push_back(variable);
  }
  for (const auto& file : facts.environment_files) setting.back().push_back(file.path);
  // A wrapper may set or clear it.
  setting.insert(setting.end(), facts.exec_start.begin(), facts.exec_start.end());
  return setting;
}

double PreloadFiles::newest(std::span<const std::string> paths) {
  double newest = 0;
  for (const std::string& path : paths) {
    if (path.empty()) continue;
    const auto status = root_.status(path);
    if (!status) continue;
    const double changed_at = std::max(to_seconds(status->st_mtim), to_seconds(status->st_ctim));
    if (known_.size() > kMaxKnown) known_.clear();
    Known& known = known_[path];
    if (known.changed_at != changed_at || known.inode != status->st_ino)
      known = {changed_at, status->st_ino, mentions_preload(root_, path)};
    if (known.mentions_preload) newest = std::max(newest, changed_at);
  }
  return newest;
}

}  // namespace allocd::observer
