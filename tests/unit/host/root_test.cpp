// SPDX-License-Identifier: Apache-2.0
#include "host/root.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "support/catch.hpp"

using namespace allocd;
namespace fs = std::filesystem;

namespace {

struct Tree {
  fs::path path;
  Tree() {
    std::string name = fs::temp_directory_path() / "allocd-root-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Tree() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  void write(const std::string& name, const std::string& content) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << content;
  }
  [[nodiscard]] host::Root root() const {
    auto opened = host::Root::open(path);
    REQUIRE(opened.has_value());
    return std::move(*opened);
  }
};

std::ptrdiff_t open_files() {
  return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
}

}  // namespace

TEST_CASE("a file is read whole, whatever is in it and however long it is") {
  const Tree tree;
  const std::size_t size =
      GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{2047}, std::size_t{2048}, std::size_t{4095},
               std::size_t{4096}, std::size_t{4097}, std::size_t{1'000'003});
  std::string content(size, '\0');
  for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 7);
  tree.write("proc/1/maps", content);
  const auto read = tree.root().read_file("/proc/1/maps");
  REQUIRE(read.has_value());
  CHECK(*read == content);
}

TEST_CASE("a file of exactly the limit is read, one byte more is EFBIG") {
  const Tree tree;
  const std::size_t limit = GENERATE(std::size_t{10}, std::size_t{4096}, std::size_t{70'000});
  tree.write("fits", std::string(limit, 'x'));
  tree.write("larger", std::string(limit + 1, 'x'));
  const host::Root root = tree.root();
  CHECK(root.read_file("/fits", limit).value_or("").size() == limit);
  const auto larger = root.read_file("/larger", limit);
  REQUIRE_FALSE(larger.has_value());
  CHECK(larger.error().code == EFBIG);
  std::string buffer = "stale";
  CHECK(host::read_file_into(root.fd(), "larger", buffer, limit) == EFBIG);
  CHECK(buffer.empty());
}

TEST_CASE("a file that stays open is read again from its start") {
  const Tree tree;
  const std::size_t size =
      GENERATE(std::size_t{0}, std::size_t{10}, std::size_t{4096}, std::size_t{8192}, std::size_t{70'000});
  const std::string text(size, 'x');
  tree.write("file", text);
  const auto fd = tree.root().open_file("/file");
  REQUIRE(fd.has_value());
  std::string buffer = "stale";
  for (int time = 0; time < 2; ++time) {
    REQUIRE(host::read_again_into(fd->get(), buffer) == 0);
    CHECK(buffer == text);
  }
  CHECK(host::read_again_into(-1, buffer) == EBADF);
  CHECK(buffer.empty());
}

TEST_CASE("an endless file does not exhaust memory") {
  const auto root = host::Root::open();
  REQUIRE(root.has_value());
  const auto zeros = root->read_file("/dev/zero", 1 << 16);
  REQUIRE_FALSE(zeros.has_value());
  CHECK(zeros.error().code == EFBIG);
}

TEST_CASE("what is missing or not a file says so with its errno") {
  const Tree tree;
  tree.write("directory/file", "x");
  const host::Root root = tree.root();
  CHECK(root.read_file("/absent").error().code == ENOENT);
  CHECK(root.read_file("/absent").error().where == "/absent");
  CHECK(root.read_file("/directory").error().code == EISDIR);
  CHECK(root.read_file("/directory/file/below").error().code == ENOTDIR);
  CHECK(root.open_directory("/directory/file").error().code == ENOTDIR);
  CHECK(root.list_directory("/absent").error().code == ENOENT);
  CHECK(root.read_link("/directory/file").error().code == EINVAL);
  CHECK(root.status("/absent").error().code == ENOENT);
  CHECK_FALSE(root.exists("/absent"));
  CHECK(root.exists("/directory/file"));
  std::string buffer = "stale";
  CHECK(host::read_file_into(root.fd(), "absent", buffer) == ENOENT);
  CHECK(buffer.empty());
  CHECK(host::Root::open("/nonexistent/tree").error().code == ENOENT);
}

TEST_CASE("paths are relative to the tree, not to the machine") {
  const Tree tree;
  tree.write("etc/hostname", "captured\n");
  const host::Root root = tree.root();
  CHECK(root.read_file("/etc/hostname").value_or("") == "captured\n");
  CHECK(root.read_file("//etc/hostname").value_or("") == "captured\n");
  CHECK(root.read_file("etc/hostname").value_or("") == "captured\n");
  CHECK(root.list_directory("/").value_or(std::vector<std::string>{}) == std::vector<std::string>{"etc"});
}

TEST_CASE("a directory is listed in order, with names nobody would choose") {
  const Tree tree;
  for (const char* name : {"b", "a\nb", "with two  spaces", ".hidden", "\xff\xfe"}) tree.write(name, "");
  const host::Root root = tree.root();
  const std::vector<std::string> expected{".hidden", "a\nb", "b", "with two  spaces", "\xff\xfe"};
  CHECK(root.list_directory("/").value_or(std::vector<std::string>{}) == expected);
  const auto directory = root.open_directory("/");
  REQUIRE(directory.has_value());
  // Twice from one handle: a listing leaves no position behind.
  CHECK(host::list_directory(directory->get()).value_or(std::vector<std::string>{}) == expected);
  CHECK(host::list_directory(directory->get()).value_or(std::vector<std::string>{}) == expected);
}

TEST_CASE("a symbolic link is read, not followed; a long one too") {
  const Tree tree;
  const std::string target = "/" + std::string(3000, 'x') + " (deleted)";
  fs::create_symlink(target, tree.path / "exe");
  CHECK(tree.root().read_link("/exe").value_or("") == target);
}

TEST_CASE("a buffer keeps its capacity and holds only the last file") {
  const Tree tree;
  tree.write("long", std::string(20'000, 'a'));
  tree.write("short", "b");
  const host::Root root = tree.root();
  std::string buffer;
  REQUIRE(host::read_file_into(root.fd(), "long", buffer) == 0);
  REQUIRE(buffer.size() == 20'000);
  const char* storage = buffer.data();
  const auto capacity = buffer.capacity();
  for (int i = 0; i < 10; ++i) {
    REQUIRE(host::read_file_into(root.fd(), "short", buffer) == 0);
    CHECK(buffer == "b");
    REQUIRE(host::read_file_into(root.fd(), "long", buffer) == 0);
    CHECK(buffer == std::string(20'000, 'a'));
  }
  CHECK(buffer.data() == storage);
  CHECK(buffer.capacity() == capacity);
}

TEST_CASE("a duplicate is the same tree, and outlives the one it was made from") {
  const Tree tree;
  tree.write("file", "x");
  std::optional<host::Root> root(tree.root());
  const auto copy = root->duplicate();
  root.reset();
  REQUIRE(copy.has_value());
  CHECK(copy->read_file("/file") == "x");
  CHECK((::fcntl(copy->fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("kernel files, which have no length, are read whole") {
  const auto root = host::Root::open();
  REQUIRE(root.has_value());
  const auto status = root->read_file("/proc/self/status");
  REQUIRE(status.has_value());
  CHECK(status->starts_with("Name:"));
  CHECK(status->ends_with("\n"));
  CHECK(root->list_directory("/proc/self/task").value_or(std::vector<std::string>{}).size() >= 1);
}

TEST_CASE("no descriptor is left open, on success or failure, and none is inherited") {
  const Tree tree;
  tree.write("file", "x");
  const auto before = open_files();
  {
    const host::Root root = tree.root();
    std::string buffer;
    for (int i = 0; i < 50; ++i) {
      CHECK(root.read_file("/file").has_value());
      CHECK_FALSE(root.read_file("/absent").has_value());
      CHECK_FALSE(root.read_file("/file", 0).has_value());
      CHECK(root.list_directory("/").has_value());
      CHECK_FALSE(root.list_directory("/file").has_value());
      CHECK(host::read_file_into(root.fd(), "file", buffer) == 0);
    }
    CHECK(open_files() == before + 1);
    const auto file = root.open_file("/file");
    REQUIRE(file.has_value());
    CHECK((::fcntl(file->get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(root.fd(), F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(open_files() == before);
}
