// SPDX-License-Identifier: Apache-2.0
// A tree with a directory for drop-ins, and a short way to write one there.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "host/owned_file.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace allocd::test {

// Root may do everything: what permissions do is tested as somebody else.
class AsNobody {
 public:
  static constexpr uid_t kNobody = 65534;
  AsNobody() {
    if (was_root_) REQUIRE(::seteuid(kNobody) == 0);
  }
  ~AsNobody() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool was_root_ = ::geteuid() == 0;
};

class OwnedTree {
 public:
  static constexpr const char* kBase = "/etc/systemd/system";
  static constexpr const char* kDirectory = "/etc/systemd/system/vllm.service.d";
  static constexpr const char* kPath = "/etc/systemd/system/vllm.service.d/zz-allocd.conf";

  OwnedTree() { std::filesystem::create_directories(at(kBase)); }

  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }
  [[nodiscard]] std::filesystem::path at(const std::string& name) const { return path().string() + name; }
  [[nodiscard]] host::Root root() const {
    auto root = host::Root::open(path().string());
    REQUIRE(root);
    return std::move(*root);
  }

  void write_at(const std::string& name, const std::string& text) const {
    directory_.write(name.substr(1), text);
  }
  void write(const std::string& text) const { write_at(kPath, text); }
  [[nodiscard]] std::string text_of(const std::string& name) const {
    std::ifstream file(at(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] std::string text() const { return text_of(kPath); }
  [[nodiscard]] unsigned mode_of(const std::string& name) const {
    return static_cast<unsigned>(std::filesystem::status(at(name)).permissions());
  }
  // The drop-in and its directory, for AsNobody.
  void give_to_nobody() const {
    std::filesystem::permissions(path(), std::filesystem::perms{0755});
    if (::geteuid() != 0) return;
    for (const auto* name : {kDirectory, kPath}) {
      REQUIRE(::chown(at(name).c_str(), AsNobody::kNobody, AsNobody::kNobody) == 0);
    }
  }
  // What is in the drop-in directory, sorted.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    std::error_code absent;
    for (const auto& entry : std::filesystem::directory_iterator(at(kDirectory), absent)) {
      names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
  }

  [[nodiscard]] host::FileState state() const {
    auto state = host::read_state(root(), kPath);
    if (!state) FAIL(state.error().message());
    return *state;
  }
  [[nodiscard]] static std::string outcome(const base::Result<host::Applied>& applied) {
    return applied ? std::string(host::kAppliedNames.name(*applied)) : applied.error().message();
  }
  [[nodiscard]] std::string apply(const std::string& text, const host::FileState& expected) const {
    return outcome(host::apply_write(root(), kPath, text, 0644, expected));
  }
  [[nodiscard]] std::string remove(const host::FileState& expected) const {
    return outcome(host::apply_remove(root(), kPath, expected));
  }

 private:
  TemporaryDirectory directory_;
};

}  // namespace allocd::test
