// SPDX-License-Identifier: Apache-2.0
// A host as files in memory, to plan for: unit files, drop-ins of every directory, environment files, and the
// configuration. What systemd would load of them is found by its own rules (systemd.unit(5)), so a plan can
// be applied and its effect computed from the files again.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/drop_in.hpp"
#include "policy/plan.hpp"
#include "policy/selection.hpp"
#include "settings/settings.hpp"
#include "unitfile/drop_in_text.hpp"
#include "unitfile/environment.hpp"

namespace allocd::test {

inline std::string file_name_of(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

inline bool is_owned_name(std::string_view path) {
  return path.ends_with(host::kDropInName) || path.ends_with(host::kEnvironmentFileName);
}

// What systemd says of a unit, besides its files.
struct HostUnit {
  std::string name;
  std::string load_state = "loaded";
  std::string source_path;
  std::vector<std::string> command = {"/opt/vllm/bin/vllm", "serve", "m"};
  policy::ProgramKind program = policy::ProgramKind::dynamic_glibc;
  bool is_secure_execution = false;
  bool library_in_root = true;
  std::string root_directory;
  std::string rolled_back;
};

struct PlanHost {
  std::map<std::string, std::string> files;  // by path
  std::set<std::string> irregular;           // files that are links, or somebody else's
  std::set<std::string> unreadable;          // environment files
  std::vector<HostUnit> units;
  std::vector<std::string> manager_environment;
  settings::Settings settings;

  [[nodiscard]] bool is_ours(const std::string& path) const {
    return is_owned_name(path) && !irregular.contains(path) &&
           unitfile::decide_ownership(files.at(path)) == unitfile::Ownership::ours;
  }

  [[nodiscard]] static std::array<std::string_view, 3> lookup_paths() {
    return {host::kSystemUnits, host::kRuntimeUnits, "/usr/lib/systemd/system"};
  }

  [[nodiscard]] std::string fragment_path(const std::string& unit) const {
    for (const auto& name : {unit, host::template_of(unit).value_or(unit)}) {
      for (const auto directory : lookup_paths()) {
        const std::string path = std::string(directory) + "/" + name;
        if (files.contains(path)) return path;
      }
    }
    return "";
  }

  // In the order of their names; of two of one name, that of the directory which comes first.
  [[nodiscard]] std::vector<std::string> drop_in_paths(const std::string& unit) const {
    std::map<std::string, std::string> by_name;
    for (const auto& owners : {owners_of(unit), std::vector<std::string>{"service"}}) {
      for (const auto directory : lookup_paths()) {
        for (const auto& owner : owners) add_drop_ins(host::drop_in_directory(directory, owner), by_name);
      }
    }
    std::vector<std::string> paths;
    for (const auto& [name, path] : by_name) paths.push_back(path);
    return paths;
  }

  [[nodiscard]] unitfile::UnitSources sources_of(const std::string& unit) const {
    unitfile::UnitSources sources;
    const std::string fragment = fragment_path(unit);
    sources.specifiers = unitfile::Specifiers::of_unit(unit, fragment);
    sources.manager_environment = manager_environment;
    sources.files.push_back({fragment, files.at(fragment)});
    for (const auto& path : drop_in_paths(unit)) sources.files.push_back({path, files.at(path)});
    for (const auto& named : unitfile::list_environment_files(sources))
      sources.environment_files[named.path] = read_environment(named.path);
    return sources;
  }

  [[nodiscard]] unitfile::Environment environment_of(const std::string& unit) const {
    return unitfile::compute_environment(sources_of(unit));
  }

  [[nodiscard]] std::vector<policy::OwnedFile> owned_files() const {
    std::vector<policy::OwnedFile> owned;
    for (const auto& [path, text] : files) {
      const bool is_looked_at = !path.starts_with("/usr/");
      if (is_owned_name(path) && is_looked_at) owned.push_back({path, !irregular.contains(path), text});
    }
    return owned;
  }

  // As the enforcer's survey makes them. Point into `settings`.
  [[nodiscard]] std::vector<policy::UnitInput> inputs() const {
    std::vector<policy::UnitInput> all;
    for (const auto& unit : units) all.push_back(input_of(unit));
    add_stand_ins(all);
    return all;
  }

  [[nodiscard]] policy::Plan plan(const policy::PlanOptions& options = {.version = "1"}) const {
    return policy::decide_plan(inputs(), options);
  }

  void apply(const policy::Plan& plan) {
    for (const auto& item : plan.items) {
      for (const auto& change : item.files) {
        if (change.after) {
          files[change.path] = *change.after;
        } else {
          files.erase(change.path);
        }
      }
    }
  }

 private:
  // The unit, its template, and one whose name is all up to a dash: "vllm-.service" for "vllm-a.service".
  static std::vector<std::string> owners_of(const std::string& unit) {
    std::vector<std::string> owners{unit};
    if (auto whole = host::template_of(unit)) owners.push_back(*whole);
    const auto stem = unit.substr(0, std::min(unit.find('@'), unit.rfind('.')));
    const auto dash = stem.rfind('-');
    if (dash != std::string::npos && dash > 0) owners.push_back(stem.substr(0, dash + 1) + ".service");
    return owners;
  }

  void add_drop_ins(const std::string& directory, std::map<std::string, std::string>& by_name) const {
    for (auto at = files.lower_bound(directory + "/"); at != files.end(); ++at) {
      if (!at->first.starts_with(directory + "/")) return;
      if (at->first.ends_with(".conf")) by_name.emplace(file_name_of(at->first), at->first);
    }
  }

  [[nodiscard]] unitfile::EnvironmentFileText read_environment(const std::string& pattern) const {
    using Outcome = unitfile::EnvironmentFileText::Outcome;
    std::string path;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
      path += pattern[i];
    }
    if (unreadable.contains(path)) return {.outcome = Outcome::unreadable, .files = {}, .cause = "forbidden"};
    const auto found = files.find(path);
    if (found == files.end()) return {.outcome = Outcome::absent, .files = {}, .cause = ""};
    return {.outcome = Outcome::read, .files = {{path, found->second}}, .cause = ""};
  }

  [[nodiscard]] std::vector<unitfile::SourceText> quadlet_of(const std::string& source_path) const {
    if (!files.contains(source_path)) return {};
    std::vector<unitfile::SourceText> texts{{source_path, files.at(source_path)}};
    std::map<std::string, std::string> by_name;
    add_drop_ins(source_path + ".d", by_name);
    for (const auto& [name, path] : by_name) texts.push_back({path, files.at(path)});
    return texts;
  }

  [[nodiscard]] policy::UnitInput input_of(const HostUnit& unit) const {
    policy::UnitInput input;
    input.name = unit.name;
    input.service = policy::find_service(settings, unit.name);
    input.load_state = unit.load_state;
    input.fragment_path = fragment_path(unit.name);
    input.source_path = unit.source_path;
    input.quadlet = quadlet_of(unit.source_path);
    input.exec_start = {unit.command};
    input.program = unit.program;
    input.is_secure_execution = unit.is_secure_execution;
    input.root_directory = unit.root_directory;
    input.library_in_root = unit.library_in_root;
    input.rolled_back = unit.rolled_back;
    const auto paths = host::owned_paths_of(unit.name, unit.source_path);
    for (auto& file : owned_files()) {
      if (std::ranges::count(paths, file.path) > 0) input.on_disk.push_back(std::move(file));
    }
    if (input.service != nullptr) add_policy(input);
    if (!input.fragment_path.empty()) input.sources = sources_of(unit.name);
    return input;
  }

  void add_policy(policy::UnitInput& input) const {
    input.persist = settings::effective_persist(settings, *input.service);
    input.covers_template = policy::covers_template(settings, *input.service, input.name);
    input.library = input.service->library.value_or(library_of(input.service->allocator));
    if (input.library.empty()) input.library_problem = "no such library";
  }

  static std::string library_of(settings::Wanted wanted) {
    switch (wanted) {
      case settings::Wanted::jemalloc:
        return "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
      case settings::Wanted::tcmalloc:
        return "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4";
      default:
        return "";  // mimalloc is not installed
    }
  }

  void add_stand_ins(std::vector<policy::UnitInput>& all) const {
    std::set<std::string> seen;
    for (const auto& input : all) {
      for (const auto& file : input.on_disk) seen.insert(file.path);
    }
    std::map<std::string, policy::UnitInput> stand_ins;
    for (auto& file : owned_files()) {
      if (seen.contains(file.path)) continue;
      auto& input = stand_ins[host::owner_of(file.path)];
      input.name = host::owner_of(file.path);
      input.on_disk.push_back(std::move(file));
    }
    for (auto& [name, input] : stand_ins) all.push_back(std::move(input));
  }
};

}  // namespace allocd::test
