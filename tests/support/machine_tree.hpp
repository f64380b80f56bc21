// SPDX-License-Identifier: Apache-2.0
// A machine's file tree made from one of tests/fixtures/node/*.tree (capture.sh says what those look like),
// in a directory of the test's own, where files may be damaged and brought back.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "host/root.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace allocd::test {

class MachineTree {
 public:
  // "" gives an empty machine.
  explicit MachineTree(const std::string& name = "") {
    // Root's tests read it as another user too.
    std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755));
    if (!name.empty()) unpack(name);
    auto root = host::Root::open(directory_.path().string());
    REQUIRE(root);
    root_.emplace(std::move(*root));
  }

  [[nodiscard]] const host::Root& root() const { return *root_; }
  // Path -> content, as unpacked.
  [[nodiscard]] const std::map<std::string, std::string>& files() const { return files_; }
  [[nodiscard]] std::filesystem::path path_of(const std::string& path) const {
    return directory_.path() / path.substr(1);
  }
  void write(const std::string& path, const std::string& content) const {
    directory_.write(path.substr(1), content);
  }
  void make_directory(const std::string& path) const { std::filesystem::create_directories(path_of(path)); }
  // Of a file or of a folder with all in it.
  void remove(const std::string& path) const { REQUIRE(std::filesystem::remove_all(path_of(path)) > 0); }

 private:
  void unpack(const std::string& name) {
    std::ifstream in(std::string(ALLOCD_TESTS_DIR) + "/fixtures/node/" + name + ".tree");
    REQUIRE(in);
    std::string* content = nullptr;
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with("=== ")) {
        REQUIRE(content != nullptr);
        *content += line + "\n";
      } else if (line.ends_with('/')) {
        make_directory(line.substr(4));
        content = nullptr;
      } else {
        content = &files_[line.substr(4)];
      }
    }
    REQUIRE(files_.size() > 50);
    for (const auto& [path, text] : files_) write(path, text);
  }

  TemporaryDirectory directory_;
  std::map<std::string, std::string> files_;
  std::optional<host::Root> root_;
};

}  // namespace allocd::test
