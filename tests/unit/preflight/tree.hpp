// SPDX-License-Identifier: Apache-2.0
// A small tree of a test's own that stands for a machine's root, and that any user may read: the canary is
// nobody.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "host/root.hpp"
#include "preflight/library.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"
#include "support/this_machine.hpp"

namespace allocd::test {

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

class Tree {
 public:
  Tree() { chmod("", 0755); }

  [[nodiscard]] host::Root root() const {
    auto opened = host::Root::open(directory_.path().string());
    REQUIRE(opened.has_value());
    return std::move(*opened);
  }
  // Where the machine finds `path` of the tree.
  [[nodiscard]] std::string real(const std::string& path) const { return directory_.path().string() + path; }
  void write(const std::string& path, const std::string& bytes, mode_t mode = 0644) const {
    directory_.write(path.substr(1), bytes);
    chmod(path, mode);
    for (auto up = std::filesystem::path(path).parent_path(); up != "/"; up = up.parent_path()) {
      chmod(up.string(), 0755);
    }
  }
  void copy(const std::filesystem::path& source, const std::string& path, mode_t mode = 0755) const {
    write(path, read_bytes(source), mode);
  }
  void link(const std::string& target, const std::string& path) const {
    std::filesystem::create_directories(std::filesystem::path(real(path)).parent_path());
    REQUIRE(::symlink(target.c_str(), real(path).c_str()) == 0);
  }
  void directory(const std::string& path) const { std::filesystem::create_directories(real(path)); }
  void chmod(const std::string& path, mode_t mode) const { REQUIRE(::chmod(real(path).c_str(), mode) == 0); }

 private:
  TemporaryDirectory directory_;
};

// This host's requirements, where the user who runs the tests is as good as root.
inline preflight::Requirements needs_of_tests() {
  auto needs = preflight::Requirements::of_this_host();
  needs.trusted_owner = ::geteuid();
  return needs;
}

// A library as find_library would give it for a file at a path of the machine.
inline preflight::Library library_at(const std::string& path,
                                     allocator::Kind kind = allocator::Kind::jemalloc) {
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  preflight::Library library;
  library.path = path;
  library.resolved = path;
  library.kind = kind;
  library.identity.device = status.st_dev;
  library.identity.inode = status.st_ino;
  return library;
}

}  // namespace allocd::test
