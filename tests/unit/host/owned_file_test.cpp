// SPDX-License-Identifier: Apache-2.0
// What a writer into other programs' directories must not do, whatever stands in its way. Disks that fail and
// runs that are killed are in owned_file_failures_test.cpp.
#include "host/owned_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "support/owned_tree.hpp"

using namespace allocd::host;
using allocd::test::OwnedTree;
using Kind = FileState::Kind;
namespace fs = std::filesystem;

TEST_CASE("a new file is made with its directory, both as systemd reads them") {
  const OwnedTree tree;
  const auto old_mask = ::umask(0077);
  const auto applied = apply_write(tree.root(), OwnedTree::kPath, "[Service]\n", 0644, tree.state());
  ::umask(old_mask);
  CHECK(OwnedTree::outcome(applied) == "done");
  CHECK(tree.text() == "[Service]\n");
  CHECK(tree.mode_of(OwnedTree::kPath) == 0644);
  CHECK(tree.mode_of(OwnedTree::kDirectory) == 0755);
  CHECK(tree.names() == std::vector<std::string>{"zz-allocd.conf"});
  const auto state = tree.state();
  CHECK(state ==
        FileState{Kind::directory, ::geteuid(), Kind::regular, ::geteuid(), 0644, true, "[Service]\n"});
}

TEST_CASE("an empty directory that was there keeps its mode") {
  const OwnedTree tree;
  fs::create_directory(tree.at(OwnedTree::kDirectory));
  fs::permissions(tree.at(OwnedTree::kDirectory), fs::perms{0700});
  CHECK(tree.apply("new\n", tree.state()) == "done");
  CHECK(tree.mode_of(OwnedTree::kDirectory) == 0700);
}

TEST_CASE("a file is replaced when it is as it was read") {
  const OwnedTree tree;
  tree.write("old\n");
  CHECK(tree.apply("new\n", tree.state()) == "done");
  CHECK(tree.text() == "new\n");
  CHECK(tree.apply("", tree.state()) == "done");
  CHECK(tree.text().empty());
  CHECK(tree.names() == std::vector<std::string>{"zz-allocd.conf"});
}

TEST_CASE("a text of any size and any bytes arrives") {
  const OwnedTree tree;
  std::string text(1'000'003, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7);
  CHECK(tree.apply(text, tree.state()) == "done");
  CHECK(tree.text() == text);
  CHECK(tree.state().text == text);
}

TEST_CASE("what is not as it was read is left alone") {
  const OwnedTree tree;
  const FileState absent = tree.state();
  CHECK(absent == FileState{});
  tree.write("old\n");
  const FileState old = tree.state();
  CHECK(tree.apply("new\n", absent) == "changed_since_read");
  CHECK(tree.remove(absent) == "changed_since_read");
  tree.write("edited\n");
  CHECK(tree.apply("new\n", old) == "changed_since_read");
  CHECK(tree.remove(old) == "changed_since_read");
  CHECK(tree.text() == "edited\n");
  fs::remove(tree.at(OwnedTree::kPath));
  CHECK(tree.apply("new\n", old) == "changed_since_read");
  CHECK(tree.remove(old) == "changed_since_read");
  CHECK(tree.names().empty());
  fs::remove(tree.at(OwnedTree::kDirectory));
  CHECK(tree.apply("new\n", old) == "changed_since_read");
  CHECK(tree.remove(old) == "changed_since_read");
  CHECK_FALSE(fs::exists(tree.at(OwnedTree::kDirectory)));
}

TEST_CASE("a link, a directory or a special file in the place of the file is never followed") {
  const OwnedTree tree;
  fs::create_directories(tree.at(OwnedTree::kDirectory));
  const auto path = tree.at(OwnedTree::kPath);
  const auto refused = [&](Kind kind, const std::string& why) {
    INFO(why);
    const auto state = tree.state();
    CHECK(state.kind == kind);
    CHECK(state.text.empty());
    CHECK(tree.apply("new\n", state) == why);
    CHECK(tree.apply("new\n", FileState{}) == why);
    CHECK(tree.remove(state) == why);
    CHECK(tree.names() == std::vector<std::string>{"zz-allocd.conf"});
    fs::remove_all(path);
  };
  SECTION("a link to a file") {
    tree.write_at("/victim", "precious\n");
    fs::create_symlink(tree.at("/victim"), path);
    refused(Kind::symlink, "file_is_symlink");
    CHECK(tree.text_of("/victim") == "precious\n");
  }
  SECTION("a link that leads nowhere, as to mask a drop-in") {
    fs::create_symlink("/dev/null", path);
    refused(Kind::symlink, "file_is_symlink");
  }
  SECTION("a directory") {
    fs::create_directories(path / "below");
    refused(Kind::directory, "file_is_directory");
  }
  SECTION("a FIFO, which would block a reader") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    refused(Kind::other, "file_is_special");
  }
}

TEST_CASE("a link or a file in the place of the directory is never followed") {
  const OwnedTree tree;
  const auto directory = tree.at(OwnedTree::kDirectory);
  fs::create_directories(tree.at("/elsewhere"));
  tree.write_at("/elsewhere/zz-allocd.conf", "theirs\n");
  const auto refused = [&](Kind kind, const std::string& why) {
    INFO(why);
    const auto state = tree.state();
    CHECK(state.directory == kind);
    CHECK(state.kind == Kind::absent);
    CHECK(tree.apply("new\n", state) == why);
    CHECK(tree.remove(state) == why);
    CHECK(tree.remove(FileState{.kind = Kind::regular, .text = "theirs\n"}) == why);
    const auto leftovers = remove_leftovers(tree.root(), OwnedTree::kDirectory);
    REQUIRE(leftovers);
    CHECK(*leftovers == 0);
    CHECK(tree.text_of("/elsewhere/zz-allocd.conf") == "theirs\n");
  };
  SECTION("a link to a directory") {
    fs::create_directory_symlink(tree.at("/elsewhere"), directory);
    tree.write_at("/elsewhere/.zz-allocd-0", "");
    refused(Kind::symlink, "directory_is_symlink");
    CHECK(fs::exists(tree.at("/elsewhere/.zz-allocd-0")));
  }
  SECTION("a link that leads nowhere") {
    fs::create_symlink(tree.at("/nowhere"), directory);
    refused(Kind::symlink, "directory_is_symlink");
    CHECK_FALSE(fs::exists(tree.at("/nowhere")));
  }
  SECTION("a file") {
    tree.write_at(OwnedTree::kDirectory, "a file\n");
    refused(Kind::regular, "directory_is_no_directory");
    CHECK(tree.text_of(OwnedTree::kDirectory) == "a file\n");
  }
}

TEST_CASE("what belongs to somebody else is left to them") {
  if (::geteuid() != 0) {
    WARN("not root: cannot give a file away");
    return;
  }
  const OwnedTree tree;
  tree.write("theirs\n");
  const FileState state = tree.state();
  constexpr uid_t kNobody = 65534;
  SECTION("the file") {
    REQUIRE(::chown(tree.at(OwnedTree::kPath).c_str(), kNobody, kNobody) == 0);
    CHECK(tree.state().owner == kNobody);
    CHECK(tree.apply("new\n", state) == "file_of_another_owner");
    CHECK(tree.remove(state) == "file_of_another_owner");
  }
  SECTION("the directory") {
    REQUIRE(::chown(tree.at(OwnedTree::kDirectory).c_str(), kNobody, kNobody) == 0);
    CHECK(tree.state().directory_owner == kNobody);
    CHECK(tree.apply("new\n", state) == "directory_of_another_owner");
    CHECK(tree.remove(state) == "directory_of_another_owner");
  }
  CHECK(tree.text() == "theirs\n");
}

TEST_CASE("a file of ours that cannot be read is no file to replace") {
  const OwnedTree tree;
  tree.write("secret\n");
  fs::permissions(tree.at(OwnedTree::kPath), fs::perms{0});
  tree.give_to_nobody();
  const allocd::test::AsNobody nobody;
  const auto state = tree.state();
  CHECK(state.kind == Kind::regular);
  CHECK_FALSE(state.is_readable);
  CHECK(tree.apply("new\n", state).ends_with("Permission denied"));
  CHECK(tree.remove(state).ends_with("Permission denied"));
}

TEST_CASE("a directory that may not be written to is a fault") {
  const OwnedTree tree;
  fs::permissions(tree.path(), fs::perms{0755});
  fs::permissions(tree.at(OwnedTree::kBase), fs::perms{0555});
  const allocd::test::AsNobody nobody;
  const auto written = apply_write(tree.root(), OwnedTree::kPath, "x", 0644, {});
  REQUIRE_FALSE(written);
  CHECK(written.error().code == EACCES);
  CHECK(written.error().what == "make the directory of");
  CHECK(written.error().where == OwnedTree::kPath);
}

TEST_CASE("removing takes an empty directory along, and nothing else") {
  const OwnedTree tree;
  tree.write("text\n");
  SECTION("empty afterwards") {
    CHECK(tree.remove(tree.state()) == "done");
    CHECK_FALSE(fs::exists(tree.at(OwnedTree::kDirectory)));
    CHECK(fs::exists(tree.at(OwnedTree::kBase)));
  }
  SECTION("a second time") {
    CHECK(tree.remove(tree.state()) == "done");
    CHECK(tree.remove(tree.state()) == "done");
  }
  SECTION("somebody else's drop-in beside it") {
    tree.write_at(std::string(OwnedTree::kDirectory) + "/10-limits.conf", "[Service]\n");
    CHECK(tree.remove(tree.state()) == "done");
    CHECK(tree.names() == std::vector<std::string>{"10-limits.conf"});
  }
  SECTION("a directory that was there before") {
    const auto removed = apply_remove(tree.root(), OwnedTree::kPath, tree.state(), EmptyDirectory::keep);
    CHECK(OwnedTree::outcome(removed) == "done");
    CHECK(tree.names().empty());
    CHECK(fs::exists(tree.at(OwnedTree::kDirectory)));
  }
  SECTION("a run that was killed between file and directory is completed") {
    fs::remove(tree.at(OwnedTree::kPath));
    CHECK(tree.remove(tree.state()) == "done");
    CHECK_FALSE(fs::exists(tree.at(OwnedTree::kDirectory)));
  }
}

TEST_CASE("leftovers of killed runs are removed, and only they") {
  const OwnedTree tree;
  tree.write("text\n");
  const std::string directory = OwnedTree::kDirectory;
  tree.write_at(directory + "/.zz-allocd-0123456789abcdef", "half");
  tree.write_at(directory + "/.zz-allocd-", "");
  tree.write_at(directory + "/.zz-alloc", "not ours");
  tree.write_at(directory + "/zz-allocd-x", "not ours");
  fs::create_directory(tree.at(directory + "/.zz-allocd-directory"));
  fs::create_symlink(tree.at(OwnedTree::kPath), tree.at(directory + "/.zz-allocd-link"));
  const auto removed = remove_leftovers(tree.root(), directory);
  REQUIRE(removed);
  CHECK(*removed == 2);
  CHECK(tree.names() == std::vector<std::string>{".zz-alloc", ".zz-allocd-directory", ".zz-allocd-link",
                                                 "zz-allocd-x", "zz-allocd.conf"});
  CHECK(remove_leftovers(tree.root(), directory).value_or(9) == 0);
  CHECK(remove_leftovers(tree.root(), "/etc/systemd/system/absent.service.d").value_or(9) == 0);
}

TEST_CASE("no name leads elsewhere") {
  const OwnedTree tree;
  const std::string nul("/etc/systemd/system/a\0b.service.d/zz-allocd.conf", 48);
  for (const std::string& path :
       {std::string(), std::string("/"), std::string("/zz-allocd.conf"), std::string("a/b/c"),
        std::string("/etc/systemd/system/../zz-allocd.conf"), std::string("/etc/systemd/system/x.d/.."),
        std::string("/etc/systemd/system/x.d/"), std::string("/etc/systemd/system//zz-allocd.conf"),
        std::string("/etc/./system/x.d/a"), nul}) {
    INFO(path);
    const auto read = read_state(tree.root(), path);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == EINVAL);
    CHECK_FALSE(apply_write(tree.root(), path, "x", 0644, {}));
    CHECK_FALSE(apply_remove(tree.root(), path, {}));
  }
  const auto long_name = "/etc/systemd/system/" + std::string(300, 'a') + ".service.d/zz-allocd.conf";
  const auto written = apply_write(tree.root(), long_name, "x", 0644, {});
  REQUIRE_FALSE(written);
  CHECK(written.error().code == ENAMETOOLONG);
  // Bytes that are odd and nothing more.
  const std::string odd = "/etc/systemd/system/a b\\x2d\n%i$HOME\xff.service.d/zz-allocd.conf";
  CHECK(OwnedTree::outcome(apply_write(tree.root(), odd, "x", 0644, {})) == "done");
  CHECK(tree.text_of(odd) == "x");
}

TEST_CASE("a base directory that is absent is a fault, and is not made") {
  const OwnedTree tree;
  const auto written =
      apply_write(tree.root(), "/run/systemd/system/a.service.d/zz-allocd.conf", "x", 0644, {});
  REQUIRE_FALSE(written);
  CHECK(written.error().code == ENOENT);
  CHECK_FALSE(fs::exists(tree.at("/run")));
}
