// SPDX-License-Identifier: Apache-2.0
// A PlanHost on a real disk: written out once, then changed by the enforcer's own writer and read by its own
// readers.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "enforcer/carry_out.hpp"
#include "enforcer/survey.hpp"
#include "support/catch.hpp"
#include "support/plan_host.hpp"
#include "support/temporary_directory.hpp"
#include "unitfile/read.hpp"

namespace allocd::test {

class HostTree {
 public:
  // One that is `irregular` becomes a link; one that is `unreadable` a FIFO, which nobody may open.
  explicit HostTree(const PlanHost& host) : host_(host) {
    for (const auto units :
         {host::kSystemUnits, host::kRuntimeUnits, host::kSystemQuadlets, host::kRuntimeQuadlets})
      std::filesystem::create_directories(at(std::string(units)));
    for (const auto& [path, text] : host.files) put(path, text);
    auto root = host::Root::open(directory_.path().string());
    REQUIRE(root);
    root_.emplace(std::move(*root));
  }

  [[nodiscard]] const host::Root& root() const { return *root_; }
  [[nodiscard]] settings::Settings& settings() { return host_.settings; }
  [[nodiscard]] std::filesystem::path at(const std::string& path) const {
    return directory_.path().string() + path;
  }

  // Every name below the root, with its type, mode and contents.
  [[nodiscard]] std::map<std::string, std::string> tree() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
      const auto status = entry.symlink_status();
      std::string what = std::to_string(static_cast<int>(status.type())) + " " +
                         std::to_string(static_cast<unsigned>(status.permissions())) + " ";
      if (entry.is_symlink()) what += std::filesystem::read_symlink(entry.path()).string();
      if (std::filesystem::is_regular_file(status)) what += text_of(entry.path());
      all[entry.path().string().substr(directory_.path().string().size())] = what;
    }
    return all;
  }

  [[nodiscard]] std::vector<policy::OwnedFile> owned() const {
    return enforcer::read_owned_files(root(), ::geteuid());
  }

  [[nodiscard]] policy::Plan plan(const policy::PlanOptions& options = {.version = "1"}) {
    look();
    auto inputs = host_.inputs();
    for (auto& input : inputs) {
      if (input.fragment_path.empty()) continue;
      input.sources = unitfile::read_sources(root(), input.name, input.fragment_path,
                                             host_.drop_in_paths(input.name), machine());
    }
    return policy::decide_plan(inputs, options);
  }

  [[nodiscard]] unitfile::Environment environment_of(const std::string& unit) {
    look();
    return unitfile::compute_environment(unitfile::read_sources(root(), unit, host_.fragment_path(unit),
                                                                host_.drop_in_paths(unit), machine()));
  }

  // As a session does, which remembers the directories it made.
  void apply(const policy::Plan& plan) {
    for (const auto& item : plan.items) {
      auto& made = made_[item.target];
      for (auto& directory : enforcer::list_missing_directories(root(), item))
        made.push_back(std::move(directory));
      INFO(item.target);
      REQUIRE(enforcer::apply_item(root(), item, made) == "");
    }
  }

  void put(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(at(path).parent_path());
    if (host_.irregular.contains(path)) {
      std::filesystem::create_symlink("/dev/null", at(path));
    } else if (host_.unreadable.contains(path)) {
      REQUIRE(::mkfifo(at(path).c_str(), 0600) == 0);
    } else {
      directory_.write(path.substr(1), text);
    }
  }

 private:
  static std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  [[nodiscard]] unitfile::Machine machine() const {
    return {.manager_environment = host_.manager_environment, .specifiers = {}, .manager_places = {}};
  }

  // The model's files become those on disk.
  void look() {
    std::erase_if(host_.files, [](const auto& file) {
      return is_owned_name(file.first) && !file.first.starts_with("/usr/");
    });
    host_.irregular.clear();
    for (const auto& file : owned()) {
      host_.files[file.path] = file.text;
      if (!file.is_regular) host_.irregular.insert(file.path);
    }
  }

  TemporaryDirectory directory_;
  PlanHost host_;
  std::optional<host::Root> root_;
  std::map<std::string, std::vector<std::string>> made_;
};

}  // namespace allocd::test
