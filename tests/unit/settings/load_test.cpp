// SPDX-License-Identifier: Apache-2.0
// The files of a tree: which are read, in which order, and what is said of those that cannot be.
#include "settings/load.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "host/root.hpp"
#include "support/catch.hpp"

namespace fs = std::filesystem;
using allocd::settings::load_settings;
using allocd::settings::Loaded;
using allocd::settings::render_problems;

namespace {

class Tree {
 public:
  Tree() {
    std::string name = (fs::temp_directory_path() / "allocd-settings-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
    // Another user must be able to look in (see AsNobody).
    fs::permissions(path_, fs::perms{0755});
    fs::create_directories(path_ / "etc");
  }
  ~Tree() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  [[nodiscard]] fs::path at(const std::string& path) const { return path_ / path; }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories(at(path).parent_path());
    std::ofstream(at(path), std::ios::binary) << text;
  }
  [[nodiscard]] Loaded load() const {
    const auto root = allocd::host::Root::open(path_.string());
    REQUIRE(root);
    return load_settings(*root, "/etc/allocd.yaml", "/etc/conf.d");
  }
  [[nodiscard]] std::string report() const {
    const auto loaded = load();
    return loaded ? "" : render_problems(loaded.error());
  }

 private:
  fs::path path_;
};

// Root may read everything: permissions are tested as somebody else.
class AsNobody {
 public:
  AsNobody() {
    if (was_root_) REQUIRE(::seteuid(65534) == 0);
  }
  ~AsNobody() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool was_root_ = ::geteuid() == 0;
};

std::string service(const std::string& name) {
  return "services: {" + name + ": {select: [unit: " + name + "]}}\n";
}

}  // namespace

TEST_CASE("no configuration at all is the defaults") {
  const Tree tree;
  const auto loaded = tree.load();
  REQUIRE(loaded);
  CHECK(*loaded == allocd::settings::Settings{});
}

TEST_CASE("the main file comes first, then the directory in order of names") {
  const Tree tree;
  tree.write("etc/conf.d/20-b.yaml", service("b") + "observe: {interval: 3s}\n");
  tree.write("etc/conf.d/10-a.yaml", service("a") + "observe: {interval: 2s}\n");
  tree.write("etc/allocd.yaml", service("m") + "observe: {interval: 1s}\n");
  const auto loaded = tree.load();
  REQUIRE(loaded);
  CHECK(loaded->files ==
        std::vector<std::string>{"/etc/allocd.yaml", "/etc/conf.d/10-a.yaml", "/etc/conf.d/20-b.yaml"});
  CHECK(loaded->observe.interval == std::chrono::seconds(3));
  REQUIRE(loaded->services.size() == 3);
  CHECK(loaded->services[0].name == "m");
  CHECK(loaded->services[2].name == "b");
}

TEST_CASE("only *.yaml is read: no hidden file, no backup, no example") {
  const Tree tree;
  for (const auto* name :
       {"a.yaml~", "#a.yaml#", "#a.yaml", ".a.yaml", "..yaml", ".yaml", ".yml", ".a.yml", "a.yml~",
        "a.yaml.bak", "a.yaml.dpkg-old", "a.yaml.rpmnew", "a.yaml.example", "yaml", "yml", ".a.yaml.swp"}) {
    tree.write(std::string("etc/conf.d/") + name, "this: is not read\n");
  }
  fs::create_symlink("nobody@host.1234:5678", tree.at("etc/conf.d/.#a.yaml"));
  tree.write("etc/conf.d/a.yaml", service("a"));
  const auto loaded = tree.load();
  REQUIRE(loaded);
  CHECK(loaded->files == std::vector<std::string>{"/etc/conf.d/a.yaml"});
}

TEST_CASE("a name that was meant to be read, and is not, is an error that says how to name it") {
  const auto [name, meant] = GENERATE(table<std::string, std::string>({{"20-b.yml", "20-b.yaml"},
                                                                       {"20-b.YAML", "20-b.yaml"},
                                                                       {"20-b.YML", "20-b.yaml"},
                                                                       {"B.Yaml", "B.yaml"}}));
  const Tree tree;
  tree.write("etc/conf.d/10-a.yaml", "observe: {intervall: 1s}\n");
  tree.write("etc/conf.d/" + name, service("b"));
  tree.write("etc/conf.d/C.yaml", service("c"));
  const auto report = tree.report();
  INFO(report);
  CHECK(report.find("/etc/conf.d/" + name +
                    ": not read: only names that end in .yaml are\n    hint: rename it to '" + meant + "'") !=
        std::string::npos);
  // Beside the problems of the files that are read.
  CHECK(report.find("/etc/conf.d/10-a.yaml:1:11: unknown key 'intervall'") != std::string::npos);
}

TEST_CASE("one name may be given without a directory") {
  const Tree tree;
  tree.write("etc/conf.d/a.yaml", "broken: 1\n");
  tree.write("etc/allocd.yaml", service("m"));
  const auto root = allocd::host::Root::open(tree.at("").string());
  REQUIRE(root);
  const auto loaded = load_settings(*root, "/etc/allocd.yaml", std::nullopt);
  REQUIRE(loaded);
  CHECK(loaded->services.size() == 1);
}

TEST_CASE("a file that is read although it is empty is listed") {
  const Tree tree;
  tree.write("etc/conf.d/a.yaml", "");
  const auto loaded = tree.load();
  REQUIRE(loaded);
  CHECK(loaded->files == std::vector<std::string>{"/etc/conf.d/a.yaml"});
}

TEST_CASE("what is there and cannot be read is a problem, in its place among the others") {
  const Tree tree;
  tree.write("etc/allocd.yaml", "a: 1\n");
  tree.write("etc/conf.d/10.yaml", "b: 1\n");
  fs::create_directories(tree.at("etc/conf.d/20.yaml"));
  tree.write("etc/conf.d/30.yaml", "c: 1\n");
  fs::create_symlink("nowhere", tree.at("etc/conf.d/40.yaml"));
  REQUIRE(::mkfifo(tree.at("etc/conf.d/50.yaml").c_str(), 0644) == 0);
  fs::create_symlink("60.yaml", tree.at("etc/conf.d/60.yaml"));
  tree.write("etc/conf.d/70.yaml", std::string((1U << 20U) + 1, '#'));
  CHECK(tree.report() ==
        "/etc/allocd.yaml:1:1: unknown key 'a'\n"
        "    a: 1\n    ^\n"
        "    hint: known keys: version, mode, persist, max_concurrent_restarts, observe, node, services\n"
        "/etc/conf.d/10.yaml:1:1: unknown key 'b'\n"
        "    b: 1\n    ^\n"
        "    hint: known keys: version, mode, persist, max_concurrent_restarts, observe, node, services\n"
        "/etc/conf.d/20.yaml: this is a directory, not a file\n"
        "/etc/conf.d/30.yaml:1:1: unknown key 'c'\n"
        "    c: 1\n    ^\n"
        "    hint: known keys: version, mode, persist, max_concurrent_restarts, observe, node, services\n"
        "/etc/conf.d/40.yaml: dangling symbolic link to 'nowhere'\n"
        "    hint: remove or mend the link\n"
        "/etc/conf.d/50.yaml: this is not a regular file\n"
        "/etc/conf.d/60.yaml: cannot read: Too many levels of symbolic links\n"
        "/etc/conf.d/70.yaml: the file is larger than 1048576 bytes\n"
        "    hint: split it into several files\n");
}

TEST_CASE("an unreadable file beside good ones is a problem") {
  const Tree tree;
  tree.write("etc/allocd.yaml", service("m"));
  tree.write("etc/conf.d/a.yaml", service("a"));
  fs::permissions(tree.at("etc/conf.d/a.yaml"), fs::perms{0});
  const AsNobody nobody;
  CHECK(tree.report() == "/etc/conf.d/a.yaml: cannot read: Permission denied\n");
}

TEST_CASE("an unreadable directory is a problem, not an empty one") {
  const Tree tree;
  tree.write("etc/conf.d/a.yaml", service("a"));
  fs::permissions(tree.at("etc/conf.d"), fs::perms{0});
  std::string report;
  {
    const AsNobody nobody;
    report = tree.report();
  }
  fs::permissions(tree.at("etc/conf.d"), fs::perms{0755});
  CHECK(report == "/etc/conf.d: cannot read: Permission denied\n");
}

TEST_CASE("a main file that cannot be reached is not taken for absent") {
  const Tree tree;
  tree.write("etc/allocd.yaml", service("m"));
  fs::permissions(tree.at("etc"), fs::perms{0});
  std::string report;
  {
    const AsNobody nobody;
    report = tree.report();
  }
  fs::permissions(tree.at("etc"), fs::perms{0755});
  CHECK(report ==
        "/etc/allocd.yaml: cannot read: Permission denied\n"
        "/etc/conf.d: cannot read: Permission denied\n");
}

TEST_CASE("the main file may be the wrong kind of thing") {
  const Tree tree;
  SECTION("dangling") {
    fs::create_symlink("gone.yaml", tree.at("etc/allocd.yaml"));
    CHECK(tree.report() ==
          "/etc/allocd.yaml: dangling symbolic link to 'gone.yaml'\n    hint: remove or mend the link\n");
  }
  SECTION("a directory") {
    fs::create_directories(tree.at("etc/allocd.yaml"));
    CHECK(tree.report() == "/etc/allocd.yaml: this is a directory, not a file\n");
  }
  SECTION("a link to a file") {
    tree.write("etc/elsewhere", service("m"));
    fs::create_symlink("elsewhere", tree.at("etc/allocd.yaml"));
    CHECK(tree.report().empty());
  }
}

TEST_CASE("the directory may be the wrong kind of thing") {
  const Tree tree;
  SECTION("a file") {
    tree.write("etc/conf.d", "");
    CHECK(tree.report() == "/etc/conf.d: cannot read: Not a directory\n");
  }
  SECTION("dangling") {
    fs::create_symlink("gone.d", tree.at("etc/conf.d"));
    CHECK(tree.report() == "/etc/conf.d: cannot read: No such file or directory\n");
  }
}
