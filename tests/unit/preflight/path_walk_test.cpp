// SPDX-License-Identifier: Apache-2.0
#include "preflight/path_walk.hpp"

#include <algorithm>

#include "tree.hpp"

using namespace allocd;
using preflight::open_regular;
using preflight::read_path;
using preflight::WalkOutcome;
using test::Tree;

namespace {

std::vector<std::string> passed(const preflight::Walked& walked) {
  std::vector<std::string> paths;
  for (const auto& step : walked.passed) paths.push_back(step.path);
  return paths;
}

}  // namespace

TEST_CASE("a path is followed through links, and what was passed is remembered") {
  const Tree tree;
  tree.write("/usr/lib/libx.so.2.1", "bytes");
  tree.link("libx.so.2.1", "/usr/lib/libx.so.2");
  tree.link("/usr/lib", "/lib");
  const auto walked = read_path(tree.root(), "", "/lib/./libx.so.2");
  REQUIRE(walked.has_value());
  CHECK(walked->path == "/usr/lib/libx.so.2.1");
  CHECK(passed(*walked) == std::vector<std::string>{"/", "/lib", "/usr", "/usr/lib", "/usr/lib/libx.so.2"});
  auto fd = open_regular(*walked);
  REQUIRE(fd.has_value());
  CHECK(host::read_all(fd->get(), "it").value() == "bytes");
}

TEST_CASE("a path cannot leave the root it is followed in") {
  const Tree tree;
  tree.write("/secret", "outside");
  tree.write("/jail/secret", "inside");
  tree.link("/secret", "/jail/absolute");
  tree.link("../../../secret", "/jail/upwards");
  tree.link("/jail", "/to-jail");
  const std::string name = GENERATE("/absolute", "/upwards", "/../secret", "/../../../../secret");
  const std::string jail = GENERATE("/jail", "/to-jail", "/jail/.");
  const auto walked = read_path(tree.root(), jail, name);
  REQUIRE(walked.has_value());
  CHECK(walked->path == "/secret");
  CHECK(host::read_all(open_regular(*walked)->get(), "it").value() == "inside");
}

TEST_CASE("what cannot be followed is named") {
  const Tree tree;
  tree.write("/file", "");
  tree.link("loop", "/loop");
  tree.link("nowhere", "/dangling");
  const auto outcome = [&tree](const std::string& path, const std::string& root_directory = "") {
    const auto walked = read_path(tree.root(), root_directory, path);
    REQUIRE_FALSE(walked.has_value());
    return walked.error();
  };
  CHECK(outcome("/nothing/here") == WalkOutcome::absent);
  CHECK(outcome("/dangling") == WalkOutcome::absent);
  CHECK(outcome("/file/below") == WalkOutcome::absent);
  CHECK(outcome("/loop") == WalkOutcome::not_followable);
  CHECK(outcome("/" + std::string(300, 'x')) == WalkOutcome::not_followable);
  CHECK(outcome(std::string("/fi\0le", 6)) == WalkOutcome::not_followable);
  CHECK(outcome("/file", "/file") == WalkOutcome::absent);
  CHECK(outcome("/file", "/nowhere") == WalkOutcome::absent);
}

TEST_CASE("links that multiply come to an end") {
  const Tree tree;
  // Each link leads through the next one twice: 2^20 steps for who follows them all.
  for (int i = 0; i < 20; ++i) {
    const std::string next = "/l" + std::to_string(i + 1);
    tree.link(next + "/.." + next, "/l" + std::to_string(i));
  }
  tree.directory("/l20");
  const auto walked = read_path(tree.root(), "", "/l0");
  REQUIRE_FALSE(walked.has_value());
  CHECK(walked.error() == WalkOutcome::not_followable);
}

TEST_CASE("a FIFO, a directory and a file that was exchanged are not opened") {
  const Tree tree;
  REQUIRE(::mkfifo(tree.real("/fifo").c_str(), 0644) == 0);
  tree.write("/file", "first");
  for (const char* name : {"/fifo", "/", "/."}) {
    const auto walked = read_path(tree.root(), "", name);
    REQUIRE(walked.has_value());
    CHECK_FALSE(open_regular(*walked).has_value());
  }
  const auto walked = read_path(tree.root(), "", "/file");
  REQUIRE(walked.has_value());
  tree.write("/other", "second");
  std::filesystem::rename(tree.real("/other"), tree.real("/file"));
  CHECK_FALSE(open_regular(*walked).has_value());
  std::filesystem::remove(tree.real("/file"));
  tree.link("/fifo", "/file");
  CHECK_FALSE(open_regular(*walked).has_value());
}
