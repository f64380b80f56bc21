// SPDX-License-Identifier: Apache-2.0
#include "host/touch_file.hpp"

#include <sys/stat.h>

#include <filesystem>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
namespace fs = std::filesystem;

TEST_CASE("a touched file is there, empty, and newer than before", "[touch]") {
  const test::TemporaryDirectory directory;
  const auto root = host::Root::open(directory.path().string());
  REQUIRE(root);
  REQUIRE(host::apply_touch(*root, "/look-now"));
  CHECK(fs::file_size(directory.path() / "look-now") == 0);
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(5);
  directory.write("look-now", "a word");
  fs::last_write_time(directory.path() / "look-now", long_ago);
  REQUIRE(host::apply_touch(*root, "/look-now"));
  CHECK(fs::file_size(directory.path() / "look-now") == 0);
  CHECK(fs::last_write_time(directory.path() / "look-now") > long_ago + std::chrono::hours(1));
}

TEST_CASE("nothing but a plain file is touched", "[touch]") {
  const test::TemporaryDirectory directory;
  const auto root = host::Root::open(directory.path().string());
  REQUIRE(root);
  directory.write("elsewhere", "kept");
  fs::create_symlink("elsewhere", directory.path() / "link");
  CHECK_FALSE(host::apply_touch(*root, "/link"));
  REQUIRE(::mkfifo((directory.path() / "fifo").c_str(), 0600) == 0);
  CHECK_FALSE(host::apply_touch(*root, "/fifo"));
  fs::create_directory(directory.path() / "directory");
  CHECK_FALSE(host::apply_touch(*root, "/directory"));
  CHECK_FALSE(host::apply_touch(*root, "/missing/look-now"));
  CHECK(fs::file_size(directory.path() / "elsewhere") == 4);
}
