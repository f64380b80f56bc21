// SPDX-License-Identifier: Apache-2.0
#include "kernel/page_cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"
#include "support/owned_tree.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using kernel::CachedFile;
using kernel::CacheMethod;
using kernel::CacheOutcome;

namespace {

constexpr std::uint64_t kSize = std::uint64_t{8} << 20U;

class Files {
 public:
  Files() : directory_(::open(tree.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    REQUIRE(directory_);
    REQUIRE(::chmod(tree.path().c_str(), 0755) == 0);
  }
  // A file on disk, clean, all in the cache or as little of it as the kernel lets go of.
  void make(const std::string& name, bool cached, std::uint64_t size = kSize) const {
    tree.write(name, std::string(size, 'x'));
    const base::UniqueFd fd(::open((tree.path() / name).c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(fd);
    REQUIRE(::fsync(fd.get()) == 0);
    if (!cached)
      REQUIRE(::posix_fadvise(fd.get(), static_cast<off_t>(size / 2), 0, POSIX_FADV_DONTNEED) == 0);
  }
  [[nodiscard]] CachedFile read(const std::string& name, bool force_mincore = false) const {
    return kernel::read_cached_file(directory_.get(), name.c_str(), {}, force_mincore);
  }
  [[nodiscard]] host::Root root() const {
    auto root = host::Root::open(tree.path().string());
    REQUIRE(root);
    return std::move(*root);
  }
  test::TemporaryDirectory tree;

 private:
  base::UniqueFd directory_;
};

// What util-linux says of the same file.
std::optional<std::uint64_t> ask_fincore(const std::filesystem::path& path) {
  const auto command =
      fmt::format("fincore --bytes --noheadings --output RES '{}' 2>/dev/null", path.string());
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
  unsigned long long value = 0;
  if (!pipe || std::fscanf(pipe.get(), "%llu", &value) != 1) return std::nullopt;
  return value;
}

}  // namespace

TEST_CASE("page cache: as much as fincore sees, by either way, when half of it was dropped") {
  const Files files;
  files.make("half", false);
  const bool force_mincore = GENERATE(false, true);
  // The kernel may drop pages at any moment: only what did not change while both looked can be compared.
  bool compared = false;
  for (int i = 0; i < 50 && !compared; ++i) {
    const auto before = files.read("half", force_mincore);
    const auto other = ask_fincore(files.tree.path() / "half");
    const auto after = files.read("half", force_mincore);
    if (!other) {
      WARN("no fincore here");
      return;
    }
    REQUIRE(before.outcome == CacheOutcome::counted);
    CHECK(before.size == kSize);
    if (before.cached != after.cached) continue;
    CHECK(before.cached == *other);
    compared = true;
  }
  CHECK(compared);
}

TEST_CASE("page cache: looking does not read a page in") {
  const Files files;
  files.make("half", false);
  const auto first = files.read("half");
  REQUIRE(first.outcome == CacheOutcome::counted);
  CHECK(first.cached <= kSize);
  for (int i = 0; i < 20; ++i) {
    static_cast<void>(files.read("half"));
    static_cast<void>(files.read("half", true));
  }
  CHECK(files.read("half").cached <= first.cached);
}

TEST_CASE("page cache: a size that is no whole page is never exceeded, an empty file has none") {
  const Files files;
  files.make("odd", true, 4097);
  files.make("empty", true, 0);
  const bool force_mincore = GENERATE(false, true);
  CHECK(files.read("odd", force_mincore).cached <= 4097);
  const auto empty = files.read("empty", force_mincore);
  CHECK(empty.outcome == CacheOutcome::counted);
  CHECK(empty.size == 0);
  CHECK(empty.cached == 0);
}

TEST_CASE("page cache: a hole has nothing cached") {
  const Files files;
  files.tree.write("sparse", "");
  std::filesystem::resize_file(files.tree.path() / "sparse", std::uint64_t{5} << 30U);
  const bool force_mincore = GENERATE(false, true);
  const auto file = files.read("sparse", force_mincore);
  CHECK(file.outcome == CacheOutcome::counted);
  CHECK(file.size == std::uint64_t{5} << 30U);
  CHECK(file.cached == 0);
}

TEST_CASE("page cache: another user's file is not permitted, never all cached and never 0") {
  const Files files;
  files.make("theirs", true);
  if (::geteuid() != 0) {
    WARN("needs root to be somebody else");
    return;
  }
  REQUIRE(::chmod((files.tree.path() / "theirs").c_str(), 0644) == 0);
  const test::AsNobody nobody;
  CHECK(files.read("theirs", true).outcome == CacheOutcome::not_permitted);
  const auto file = files.read("theirs");
  // Kernels 6.5 to early 2025 answer whoever may read; mincore is not asked in any case.
  const bool answered = file.outcome == CacheOutcome::counted && file.method == CacheMethod::cachestat;
  CHECK((answered || file.outcome == CacheOutcome::not_permitted));
  const auto root = files.root();
  const auto sum = kernel::read_page_cache(root, std::vector<std::string>{"/theirs"}, {});
  CHECK(sum.is_unknown() == !answered);
  CHECK(sum.not_permitted == (answered ? 0 : 1));
}

TEST_CASE("page cache: who may write may look") {
  const Files files;
  files.make("shared", true);
  if (::geteuid() != 0) return;
  REQUIRE(::chmod((files.tree.path() / "shared").c_str(), 0666) == 0);
  const test::AsNobody nobody;
  const bool force_mincore = GENERATE(false, true);
  CHECK(files.read("shared", force_mincore).outcome == CacheOutcome::counted);
}

TEST_CASE("page cache: what is no regular file is not opened") {
  const Files files;
  REQUIRE(::mkfifo((files.tree.path() / "fifo").c_str(), 0600) == 0);
  files.make("file", true);
  REQUIRE(::symlink("file", (files.tree.path() / "link").c_str()) == 0);
  CHECK(files.read("fifo").outcome == CacheOutcome::not_regular);
  CHECK(files.read("link").outcome == CacheOutcome::not_regular);
  CHECK(files.read(".").outcome == CacheOutcome::not_regular);
  CHECK(files.read("none").outcome == CacheOutcome::gone);
}

TEST_CASE("page cache: files of patterns add up, and a budget that ends says so") {
  const Files files;
  files.make("m/a", true);
  files.make("m/b", false);
  REQUIRE(::mkfifo((files.tree.path() / "m/fifo").c_str(), 0600) == 0);
  const auto root = files.root();
  const std::vector<std::string> patterns{"/m/*"};
  const auto sum = kernel::read_page_cache(root, patterns, {});
  CHECK(sum.is_complete());
  CHECK_FALSE(sum.is_unknown());
  CHECK(sum.files == 2);
  CHECK(sum.bytes == 2 * kSize);
  CHECK(sum.cached <= sum.bytes);
  CHECK(sum.search.others == 1);
  const auto nothing = kernel::read_page_cache(root, patterns, {}, [] { return false; });
  CHECK_FALSE(nothing.is_complete());
  CHECK(nothing.is_unknown());
  const auto none = kernel::read_page_cache(root, std::vector<std::string>{"/nothing/*"}, {});
  CHECK(none.is_complete());
  CHECK_FALSE(none.is_unknown());
  CHECK(none.files == 0);
}

TEST_CASE("page cache: pages that wait to be written are dirty") {
  const Files files;
  files.tree.write("new", std::string(kSize, 'x'));
  const auto file = files.read("new");
  REQUIRE(file.outcome == CacheOutcome::counted);
  if (file.method == CacheMethod::mincore) return;
  CHECK(file.dirty + file.writeback <= file.cached);
  const base::UniqueFd fd(::open((files.tree.path() / "new").c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::fsync(fd.get()) == 0);
  CHECK(files.read("new").dirty == 0);
}
