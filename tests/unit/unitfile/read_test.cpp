// SPDX-License-Identifier: Apache-2.0
#include "unitfile/read.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using namespace allocd::unitfile;

namespace {

using Strings = std::vector<std::string>;
using Outcome = EnvironmentFileText::Outcome;

struct Tree : test::TemporaryDirectory {
  host::Root root = open();

  void link(const std::string& target, const std::string& name) const {
    std::filesystem::create_directories((path() / name).parent_path());
    std::filesystem::create_symlink(target, path() / name);
  }

 private:
  [[nodiscard]] host::Root open() const {
    auto opened = host::Root::open(path());
    REQUIRE(opened.has_value());
    return std::move(*opened);
  }
};

}  // namespace

TEST_CASE("a unit, its drop-ins and its environment files are read in order") {
  const Tree tree;
  tree.write("u/a.service", "[Service]\nEnvironment=A=1\nEnvironmentFile=-/e/%p.env\n");
  tree.write("u/a.service.d/x.conf", "[Service]\nEnvironment=A=2\n");
  tree.write("e/a.env", "B=3\n");
  const auto sources = read_sources(tree.root, "a.service", "/u/a.service", {"/u/a.service.d/x.conf"},
                                    {.manager_environment = {"C=4"}, .specifiers = {}, .manager_places = {}});
  const auto environment = compute_environment(sources);
  CHECK(environment.doubts.empty());
  CHECK(environment.variables.at("A").value == "2");
  CHECK(environment.variables.at("B").value == "3");
  CHECK(environment.variables.at("C").value == "4");
}

TEST_CASE("files of the unit that are gone are doubts, and the others count") {
  const Tree tree;
  tree.write("u/x.conf", "[Service]\nEnvironment=A=2\n[broken\n");
  const auto sources =
      read_sources(tree.root, "a.service", "/u/a.service", {"/u/gone.conf", "/u/x.conf"}, {});
  CHECK(sources.doubts.size() == 2);
  const auto environment = compute_environment(sources);
  CHECK(environment.variables.at("A").value == "2");
  CHECK(environment.can_start);  // what is broken is a drop-in
}

TEST_CASE("a unit without a file of its own still has drop-ins") {
  const Tree tree;
  tree.write("u/x.conf", "[Service]\nEnvironment=A=2\n[broken\n");
  const auto environment = compute_environment(read_sources(tree.root, "a.service", "", {"/u/x.conf"}, {}));
  CHECK(environment.variables.at("A").value == "2");
  CHECK(environment.can_start);
}

TEST_CASE("an environment file is read, absent or unreadable") {
  const Tree tree;
  tree.write("e/a", "A=1\n");
  tree.write("e/large", std::string(kLargestSource + 1, '#'));
  tree.link("a", "e/link");
  tree.link("nowhere", "e/dangling");
  REQUIRE(::mkfifo((tree.path() / "e/fifo").c_str(), 0600) == 0);
  CHECK(read_environment_file(tree.root, "/e/a").outcome == Outcome::read);
  CHECK(read_environment_file(tree.root, "/e/link").files == std::vector<SourceText>{{"/e/link", "A=1\n"}});
  CHECK(read_environment_file(tree.root, "/e/b").outcome == Outcome::absent);
  CHECK(read_environment_file(tree.root, "/e/a/b").outcome == Outcome::absent);
  CHECK(read_environment_file(tree.root, "/e/dangling").outcome == Outcome::absent);
  CHECK(read_environment_file(tree.root, "/e/fifo").outcome == Outcome::unreadable);
  CHECK(read_environment_file(tree.root, "/e").outcome == Outcome::absent);
  CHECK(read_environment_file(tree.root, "/e/large").outcome == Outcome::unreadable);
}

TEST_CASE("the null device is an empty file") {
  auto root = host::Root::open();
  REQUIRE(root.has_value());
  const auto read = read_environment_file(*root, "/dev/null");
  CHECK(read.outcome == Outcome::read);
  CHECK(read.files == std::vector<SourceText>{{"/dev/null", ""}});
  CHECK(read_environment_file(*root, "/dev/zero").outcome == Outcome::unreadable);
}

TEST_CASE("patterns match as glob(3) does: sorted, hidden files named only by a dot") {
  const Tree tree;
  for (const auto* name : {"e/b", "e/a", "e/.hidden", "e/[x]", "e/a\\x2db", "f/a"}) tree.write(name, "");
  CHECK(read_file_matches(tree.root, "/e/*") == Strings{"/e/[x]", "/e/a", "/e/a\\x2db", "/e/b"});
  CHECK(read_file_matches(tree.root, "/?/a") == Strings{"/e/a", "/f/a"});
  CHECK(read_file_matches(tree.root, "/e/.h*") == Strings{"/e/.hidden"});
  CHECK(read_file_matches(tree.root, "/e/\\[x]") == Strings{"/e/[x]"});
  CHECK(read_file_matches(tree.root, "/e/a\\\\x2db") == Strings{"/e/a\\x2db"});
  CHECK(read_file_matches(tree.root, "/e/a\\x2db").empty());
  CHECK(read_file_matches(tree.root, "/e/no*").empty());
  CHECK(read_file_matches(tree.root, "/*/*/*").empty());
  CHECK(read_environment_file(tree.root, "/e/no*").outcome == Outcome::absent);
  CHECK(read_environment_file(tree.root, "/?/a").files.size() == 2);
}

TEST_CASE("one bad match among several leaves the others") {
  const Tree tree;
  tree.write("e/a", "A=1\n");
  tree.link("nowhere", "e/b");
  auto read = read_environment_file(tree.root, "/e/*");
  CHECK(read.outcome == Outcome::absent);
  CHECK(read.files.size() == 1);
  REQUIRE(::mkfifo((tree.path() / "e/c").c_str(), 0600) == 0);
  read = read_environment_file(tree.root, "/e/*");
  CHECK(read.outcome == Outcome::unreadable);
  CHECK(read.files.size() == 1);
}

TEST_CASE("%y is the real path of the unit's file") {
  const Tree tree;
  tree.write("real/dir/a.service", "[Service]\nEnvironment=A=%y B=%Y\n");
  tree.link("../real/./dir", "l/u");
  tree.link("l/u", "m");
  auto environment = compute_environment(read_sources(tree.root, "a.service", "/m/a.service", {}, {}));
  CHECK(environment.variables.at("A").value == "/real/dir/a.service");
  CHECK(environment.variables.at("B").value == "/real/dir");
  tree.link("self", "self");
  environment = compute_environment(read_sources(tree.root, "a.service", "/self/a.service", {}, {}));
  CHECK(environment.doubts.size() == 1);
}
