// SPDX-License-Identifier: Apache-2.0
// A unit as files in memory, to plan for: what is planned can be applied to it and planned for again.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/drop_in.hpp"
#include "policy/plan.hpp"
#include "support/catch.hpp"

namespace allocd::test {

inline const char* const kLibrary = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
inline const char* const kConf = "/etc/systemd/system/vllm.service.d/zz-allocd.conf";
inline const char* const kEnv = "/etc/systemd/system/vllm.service.d/zz-allocd.env";

struct PlanUnit {
  explicit PlanUnit(std::string unit_name = "vllm.service") : name(std::move(unit_name)) {
    service.name = "vllm";
    service.allocator = settings::Wanted::jemalloc;
  }

  std::string name;
  settings::Service service;
  std::string fragment = "[Service]\nExecStart=/opt/vllm/bin/vllm serve m\n";
  std::map<std::string, std::string> drop_ins;  // by path
  std::map<std::string, std::string> environment_files;
  std::set<std::string> unreadable;
  std::map<std::string, std::string> disk;  // files of ours

  [[nodiscard]] std::vector<policy::OwnedFile> owned_files() const {
    std::vector<policy::OwnedFile> files;
    for (const auto& [path, text] : disk) files.push_back({path, true, text});
    return files;
  }

  // What systemd and the disk say of it. Points into *this.
  [[nodiscard]] policy::UnitInput input() const {
    policy::UnitInput unit;
    unit.name = name;
    unit.service = &service;
    unit.load_state = "loaded";
    unit.fragment_path = "/etc/systemd/system/" + host::template_of(name).value_or(name);
    unit.exec_start = {{"/opt/vllm/bin/vllm", "serve", "m"}};
    unit.sources = sources(unit.fragment_path);
    unit.on_disk = owned_files();
    unit.library = kLibrary;
    unit.program = policy::ProgramKind::dynamic_glibc;
    return unit;
  }

  void apply(const policy::PlanItem& item) {
    for (const auto& change : item.files) {
      if (change.after) {
        disk[change.path] = *change.after;
      } else {
        disk.erase(change.path);
      }
    }
  }

 private:
  [[nodiscard]] unitfile::UnitSources sources(const std::string& fragment_path) const {
    using unitfile::EnvironmentFileText;
    unitfile::UnitSources all;
    all.specifiers = unitfile::Specifiers::of_unit(name, fragment_path);
    all.files.push_back({fragment_path, fragment});
    std::map<std::string, unitfile::SourceText> by_name;
    const auto add = [&](const std::string& path, const std::string& text) {
      by_name.insert_or_assign(path.substr(path.rfind('/') + 1), unitfile::SourceText{path, text});
    };
    for (const auto& [path, text] : drop_ins) add(path, text);
    for (const auto& [path, text] : disk) {
      if (path.ends_with(".conf")) add(path, text);
      if (path.ends_with(".env"))
        all.environment_files[path] = {EnvironmentFileText::Outcome::read, {{path, text}}};
    }
    for (const auto& [unused, source] : by_name) all.files.push_back(source);
    for (const auto& [path, text] : environment_files)
      all.environment_files[path] = {EnvironmentFileText::Outcome::read, {{path, text}}};
    for (const auto& path : unreadable)
      all.environment_files[path] = {EnvironmentFileText::Outcome::unreadable, {}};
    return all;
  }
};

// The one item of a plan over one unit.
inline policy::PlanItem plan_one(const policy::UnitInput& unit, const policy::PlanOptions& options = {}) {
  const auto plan = policy::decide_plan({unit}, options);
  REQUIRE(plan.items.size() == 1);
  return plan.items.front();
}

inline std::string preload_of(const policy::PlanItem& item) {
  for (const auto& [name, value] : item.environment) {
    if (name == "LD_PRELOAD") return value;
  }
  return "(not set)";
}

}  // namespace allocd::test
