// SPDX-License-Identifier: Apache-2.0
#include "kernel/path_search.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/owned_tree.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using kernel::SearchCounts;
using kernel::SearchLimits;

namespace {

class ModelTree {
 public:
  void file(const std::string& name) const { tree_.write(name, name); }
  void link(const std::string& target, const std::string& name) const {
    std::filesystem::create_directories((tree_.path() / name).parent_path());
    REQUIRE(::symlink(target.c_str(), (tree_.path() / name).c_str()) == 0);
  }
  [[nodiscard]] std::filesystem::path at(const std::string& name) const { return tree_.path() / name; }

  // Names of what was found, sorted.
  std::vector<std::string> find(const std::vector<std::string>& patterns, const SearchLimits& limits = {},
                                const kernel::KeepGoing& keep_going = {}) {
    std::vector<std::string> names;
    auto root = host::Root::open(tree_.path().string());
    REQUIRE(root);
    counts = kernel::find_files(
        *root, patterns, limits,
        [&](const kernel::FoundFile& found) {
          struct stat status{};
          REQUIRE(::fstatat(found.directory, found.name, &status, AT_SYMLINK_NOFOLLOW) == 0);
          REQUIRE(status.st_ino == found.status->st_ino);
          names.emplace_back(found.name);
        },
        keep_going);
    CHECK(counts.files == names.size());
    std::ranges::sort(names);
    return names;
  }

  SearchCounts counts;

 private:
  test::TemporaryDirectory tree_;
};

using Names = std::vector<std::string>;

constexpr int kNoAutofs = 77;

// Mounts an automount at `place`, in a mount namespace of this process alone. Nobody answers it: what sets it
// off waits for ever, but for this process's own group, which the kernel takes for the automounter's if it is
// named.
bool mount_automount(const std::string& place, pid_t automounter) {
  std::array<int, 2> pipe{};
  if (::unshare(CLONE_NEWNS) != 0 || ::pipe2(pipe.data(), O_DIRECT) != 0) return false;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  const auto options = "fd=" + std::to_string(pipe[1]) + ",pgrp=" + std::to_string(automounter) +
                       ",minproto=5,maxproto=5,direct";
  return ::mount("automount", place.c_str(), "autofs", 0, options.c_str()) == 0;
}

// In a process of its own: its exit status is the number of automounts that were left alone.
int search_beside_automount(const std::string& root_path, const std::vector<std::string>& patterns) {
  constexpr unsigned kLong = 20;
  ::alarm(kLong);  // an automount that was set off is waited for without end
  const pid_t parent = ::getppid();
  if (::setpgid(0, 0) != 0 || !mount_automount(root_path + "/net", ::getpgid(parent))) return kNoAutofs;
  const auto root = host::Root::open(root_path);
  if (!root) return kNoAutofs;
  const auto counts = kernel::find_files(*root, patterns, {}, [](const kernel::FoundFile&) {});
  return static_cast<int>(counts.automounts);
}

}  // namespace

TEST_CASE("search: a path, a glob, and directories between") {
  ModelTree tree;
  tree.file("models/llama/a.safetensors");
  tree.file("models/llama/b.safetensors");
  tree.file("models/llama/config.json");
  tree.file("models/qwen/c.safetensors");
  CHECK(tree.find({"/models/llama/config.json"}) == Names{"config.json"});
  CHECK(tree.find({"/models/llama/*.safetensors"}) == Names{"a.safetensors", "b.safetensors"});
  CHECK(tree.find({"/models/*/[bc].safetensors"}) == Names{"b.safetensors", "c.safetensors"});
  CHECK(tree.find({"/models/q*"}) == Names{"c.safetensors"});
  CHECK(tree.find({"/models/../models/./llama/../qwen/*"}) == Names{"c.safetensors"});
  CHECK(tree.find({"/none/*", "/models/llama/config.json/beyond"}).empty());
  CHECK(tree.counts.is_complete());
  CHECK(tree.counts.others == 0);
}

TEST_CASE("search: overlapping patterns and hard links count a file once") {
  ModelTree tree;
  tree.file("models/a");
  std::filesystem::create_hard_link(tree.at("models/a"), tree.at("models/b"));
  CHECK(tree.find({"/models", "/models/*", "/models/a"}).size() == 1);
}

TEST_CASE("search: a cache of HuggingFace: snapshots lead to blobs, each blob once") {
  ModelTree tree;
  tree.file("hub/models--m/blobs/sha1");
  tree.file("hub/models--m/blobs/sha2");
  tree.file("hub/models--m/refs/main");
  tree.file("hub/.locks/models--m/sha1.lock");
  tree.link("../../blobs/sha1", "hub/models--m/snapshots/r1/model.safetensors");
  tree.link("../../blobs/sha1", "hub/models--m/snapshots/r2/model.safetensors");
  tree.link("../../blobs/sha2", "hub/models--m/snapshots/r2/other.safetensors");
  CHECK(tree.find({"/hub/models--*/snapshots/*/*.safetensors"}) == Names{"sha1", "sha2"});
  CHECK(tree.find({"/hub/models--m/snapshots"}) == Names{"sha1", "sha2"});
  CHECK(tree.find({"/hub/**/*.safetensors"}) == Names{"sha1", "sha2"});
  CHECK(tree.find({"/hub/*"}) == Names{"main", "sha1", "sha2"});
  CHECK(tree.find({"/hub"}) == Names{"main", "sha1", "sha1.lock", "sha2"});
}

TEST_CASE("search: links to directories are followed where they are named, and stay inside the root") {
  ModelTree tree;
  tree.file("store/v3/a");
  tree.file("a");
  tree.link("/store/v3", "models/current");
  tree.link("../../../../../..", "models/up");
  tree.link("/store/*", "models/glob");
  CHECK(tree.find({"/models/current/*"}) == Names{"a"});
  CHECK(tree.find({"/models/current"}) == Names{"a"});
  CHECK(tree.find({"/models/up/a"}) == Names{"a"});
  CHECK(tree.find({"/models/glob/a"}).empty());  // a name in a link is no pattern
  CHECK(tree.find({"/models"}).empty());         // in a tree only links to files are followed
  CHECK(tree.find({"/models/**/a"}).empty());
}

TEST_CASE("search: circular and dangling links end") {
  ModelTree tree;
  tree.link("b", "models/a");
  tree.link("a", "models/b");
  tree.link(".", "models/here");
  tree.link("nowhere", "models/dangling");
  CHECK(tree.find({"/models/*", "/models/here/here/here/a", "/models/**"}).empty());
  CHECK(tree.counts.others >= 2);
  CHECK(tree.counts.is_complete());
}

TEST_CASE("search: links that multiply are bounded") {
  ModelTree tree;
  std::string long_way;
  for (int i = 0; i < 700; ++i) long_way += "d/../";
  tree.file("d/file");
  for (int i = 0; i < 30; ++i) tree.link(long_way + "l" + std::to_string(i + 1), "l" + std::to_string(i));
  tree.link("d/file", "l30");
  CHECK(tree.find({"/l0"}).empty());
  CHECK(tree.counts.truncated);
  CHECK(tree.find({"/l30"}) == Names{"file"});
}

TEST_CASE("search: hidden names are matched when asked for") {
  ModelTree tree;
  tree.file("m/.hidden/a");
  tree.file("m/.b");
  tree.file("m/c");
  CHECK(tree.find({"/m/*"}) == Names{"c"});
  CHECK(tree.find({"/m/.*"}) == Names{".b", "a"});
  CHECK(tree.find({"/m/**"}) == Names{".b", "a", "c"});
}

TEST_CASE("search: what is no regular file is not handed on") {
  ModelTree tree;
  tree.file("m/a");
  REQUIRE(::mkfifo(tree.at("m/fifo").c_str(), 0600) == 0);
  CHECK(tree.find({"/m/*"}) == Names{"a"});
  CHECK(tree.counts.others == 1);
}

TEST_CASE("search: bounds") {
  ModelTree tree;
  for (int i = 0; i < 50; ++i) tree.file("m/" + std::to_string(i));
  SearchLimits few;
  few.files = 7;
  CHECK(tree.find({"/m/*"}, few).size() == 7);
  CHECK(tree.counts.truncated);
  SearchLimits short_listing;
  short_listing.entries = 20;
  CHECK(tree.find({"/m/*"}, short_listing).size() <= 20);
  CHECK(tree.counts.truncated);
  SearchLimits shallow;
  shallow.depth = 2;
  tree.file("deep/1/2/3/file");
  CHECK(tree.find({"/deep"}, shallow).empty());
  CHECK(tree.counts.truncated);
  int asked = 0;
  const auto found = tree.find({"/m/*"}, {}, [&] { return ++asked < 80; });
  CHECK(found.size() < 50);
  CHECK(tree.counts.stopped);
  CHECK_FALSE(tree.counts.is_complete());
}

TEST_CASE("search: a directory that may not be read is counted") {
  ModelTree tree;
  tree.file("m/closed/a");
  tree.file("m/open/b");
  REQUIRE(::chmod(tree.at("m/closed").c_str(), 0) == 0);
  REQUIRE(::chmod(tree.at("").c_str(), 0755) == 0);
  {
    const test::AsNobody nobody;
    CHECK(tree.find({"/m/*/*"}) == Names{"b"});
    CHECK(tree.counts.not_permitted == 1);
  }
  REQUIRE(::chmod(tree.at("m/closed").c_str(), 0700) == 0);
}

TEST_CASE("search: an automount that nobody has used is not set off") {
  ModelTree tree;
  tree.file("a");
  std::filesystem::create_directory(tree.at("net"));
  tree.link("net/model", "link");
  const std::string pattern = GENERATE("/*", "/net/model", "/link", "/**/a", "/");
  CAPTURE(pattern);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(search_beside_automount(tree.at("").string(), {pattern}));
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoAutofs) {
    WARN("no autofs here, or no right to mount it");
    return;
  }
  // "/*" and "/" come to it twice: by its name and by the link.
  CHECK(WEXITSTATUS(status) == (pattern == "/*" || pattern == "/" ? 2 : 1));
}
