// SPDX-License-Identifier: Apache-2.0
#include "host/whole_file.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "support/box.hpp"

using namespace allocd;
using host::write_whole_file;
using test::Box;

namespace {

// The errno a write ends with in a process that may write no file longer than `limit`; -1 when it does not
// fail.
int code_with_file_limit(const host::Root& root, std::size_t limit, const std::string& text) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit bound{.rlim_cur = limit, .rlim_max = limit};
    if (::setrlimit(RLIMIT_FSIZE, &bound) != 0) ::_exit(255);
    const auto written = write_whole_file(root, "/box", "file", text, 0644);
    ::_exit(written ? 254 : written.error().code);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) != 255);
  return WEXITSTATUS(status) == 254 ? -1 : WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("whole file: written with its mode, replaced as a whole, nothing left beside it") {
  Box box;
  REQUIRE(write_whole_file(box.root(), "/box", "file", std::string(100'000, 'x'), 0644));
  CHECK(box.mode_of("file") == 0644);
  REQUIRE(write_whole_file(box.root(), "/box", "file", "short\n", 0600));
  CHECK(*box.root().read_file("/box/file") == "short\n");
  CHECK(box.mode_of("file") == 0600);
  CHECK(box.names() == std::vector<std::string>{"file"});
}

TEST_CASE("whole file: what a killed run left is written over") {
  Box box;
  box.write(".file.new", std::string(5000, 'h'));
  REQUIRE(write_whole_file(box.root(), "/box", "file", "new\n", 0644));
  CHECK(*box.root().read_file("/box/file") == "new\n");
  CHECK(box.names() == std::vector<std::string>{"file"});
}

TEST_CASE("whole file: a disk without room leaves the old one") {
  Box box;
  box.write("file", "old\n");
  CHECK(code_with_file_limit(box.root(), 4096, std::string(4097, 'n')) == EFBIG);
  CHECK(*box.root().read_file("/box/file") == "old\n");
  CHECK(box.names() == std::vector<std::string>{"file"});
  CHECK(code_with_file_limit(box.root(), 4096, std::string(4096, 'n')) == -1);
}

TEST_CASE("whole file: a link where it is made is not followed, one in its place is replaced") {
  Box box;
  box.write("victim", "mine\n");
  SECTION("where it is made") {
    std::filesystem::create_symlink("victim", box.at(".file.new"));
    CHECK(write_whole_file(box.root(), "/box", "file", "new\n", 0644).error().code == ELOOP);
    CHECK_FALSE(std::filesystem::exists(box.at("file")));
  }
  SECTION("in its place") {
    std::filesystem::create_symlink("victim", box.at("file"));
    CHECK(write_whole_file(box.root(), "/box", "file", "new\n", 0644));
    CHECK_FALSE(std::filesystem::is_symlink(box.at("file")));
  }
  CHECK(*box.root().read_file("/box/victim") == "mine\n");
}

TEST_CASE("whole file: a directory in its place, and a place that is not there, are faults") {
  Box box;
  std::filesystem::create_directory(box.at("file"));
  CHECK_FALSE(write_whole_file(box.root(), "/box", "file", "new\n", 0644));
  CHECK(box.names() == std::vector<std::string>{"file"});
  CHECK(write_whole_file(box.root(), "/absent", "file", "new\n", 0644).error().code == ENOENT);
}
