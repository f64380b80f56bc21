// SPDX-License-Identifier: Apache-2.0
// A root with one directory in it, /box, and what lies in there.
#pragma once

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/root.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace allocd::test {

class Box {
 public:
  Box() {
    std::filesystem::create_directory(directory_.path() / "box");
    auto root = host::Root::open(directory_.path().string());
    REQUIRE(root);
    root_.emplace(std::move(*root));
  }
  [[nodiscard]] const host::Root& root() const { return *root_; }
  [[nodiscard]] std::filesystem::path at(const std::string& name) const {
    return directory_.path() / "box" / name;
  }
  void write(const std::string& name, const std::string& text) const {
    directory_.write("box/" + name, text);
  }
  [[nodiscard]] std::vector<std::string> names(const std::string& name = "") const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(at(name)))
      names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
  }
  [[nodiscard]] unsigned mode_of(const std::string& name) const {
    return static_cast<unsigned>(std::filesystem::status(at(name)).permissions());
  }

 private:
  TemporaryDirectory directory_;
  std::optional<host::Root> root_;
};

}  // namespace allocd::test
