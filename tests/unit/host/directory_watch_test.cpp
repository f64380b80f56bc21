// SPDX-License-Identifier: Apache-2.0
// Directories that come, go, are filled, emptied, and too many to watch.
#include "host/directory_watch.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "event_loop.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using host::DirectoryWatch;

namespace {

class Watched {
 public:
  explicit Watched(std::size_t most = 4096)
      : root(*host::Root::open(directory.path().string())),
        watch(
            loop.get(), root, [this](const DirectoryWatch::Change& change) { changes.push_back(change); },
            most) {}

  [[nodiscard]] bool sees(const std::string& in, const std::string& name) {
    return loop.run_until([&] { return std::ranges::count(changes, DirectoryWatch::Change{in, name}) > 0; });
  }
  void make(const std::string& name) const { std::filesystem::create_directories(directory.path() / name); }
  void remove(const std::string& name) const { std::filesystem::remove_all(directory.path() / name); }
  void rename(const std::string& from, const std::string& to) const {
    std::filesystem::rename(directory.path() / from, directory.path() / to);
  }
  // Everything that has happened so far has been told.
  void settle() {
    make("marker");
    watch.watch(with_marker());
    changes.clear();
    directory.write("marker/end", "");
    REQUIRE(sees("/marker", "end"));
    changes.clear();
  }
  [[nodiscard]] std::set<std::string> with_marker() const {
    auto all = wanted;
    all.insert("/marker");
    return all;
  }
  void follow(std::set<std::string> directories) {
    wanted = std::move(directories);
    watch.watch(wanted);
  }

  test::TemporaryDirectory directory;
  host::Root root;
  test::EventLoop loop;
  std::vector<DirectoryWatch::Change> changes;
  std::set<std::string> wanted;
  DirectoryWatch watch;
};

}  // namespace

TEST_CASE("a file written, replaced, changed in its mode or deleted is told by its name", "[watch]") {
  Watched it;
  it.make("a.d");
  it.follow({"/a.d"});
  it.directory.write("a.d/x.conf", "1");
  CHECK(it.sees("/a.d", "x.conf"));
  it.changes.clear();
  it.directory.write("a.d/.new", "2");
  it.rename("a.d/.new", "a.d/x.conf");
  CHECK(it.sees("/a.d", "x.conf"));
  it.settle();
  std::filesystem::permissions(it.directory.path() / "a.d/x.conf", std::filesystem::perms::owner_read);
  CHECK(it.sees("/a.d", "x.conf"));
  it.settle();
  it.remove("a.d/x.conf");
  CHECK(it.sees("/a.d", "x.conf"));
  CHECK(it.watch.problem().empty());
}

TEST_CASE("a directory that is not there is waited for, from however far above", "[watch]") {
  Watched it;
  it.follow({"/etc/units/a.d"});
  it.make("etc");
  it.make("etc/units");
  it.make("etc/units/a.d");
  CHECK(it.sees("/etc/units/a.d", ""));
  it.directory.write("etc/units/a.d/x.conf", "");
  CHECK(it.sees("/etc/units/a.d", "x.conf"));
  CHECK(it.watch.problem().empty());
}

TEST_CASE("a directory that goes is told, and waited for again", "[watch]") {
  Watched it;
  it.make("units/a.d");
  it.follow({"/units/a.d"});
  it.remove("units");
  CHECK(it.sees("/units/a.d", ""));
  it.changes.clear();
  it.make("units/a.d");
  CHECK(it.sees("/units/a.d", ""));
  it.directory.write("units/a.d/x.conf", "");
  CHECK(it.sees("/units/a.d", "x.conf"));
}

TEST_CASE("a directory put in another's place is the one that is watched", "[watch]") {
  Watched it;
  it.make("a.d");
  it.make("b.d");
  it.follow({"/a.d"});
  it.rename("a.d", "old.d");
  it.rename("b.d", "a.d");
  CHECK(it.sees("/a.d", ""));
  it.settle();
  it.directory.write("old.d/not.conf", "");
  it.directory.write("a.d/x.conf", "");
  CHECK(it.sees("/a.d", "x.conf"));
  CHECK(std::ranges::none_of(it.changes, [](const auto& change) { return change.name == "not.conf"; }));
}

TEST_CASE("neighbours of what is waited for are nobody's business", "[watch]") {
  Watched it;
  it.make("units");
  it.follow({"/units/a.d"});
  it.settle();
  it.make("units/b.d");
  it.directory.write("units/file", "");
  it.directory.write("marker/end", "again");
  CHECK(it.sees("/marker", "end"));
  CHECK(std::ranges::all_of(it.changes, [](const auto& change) { return change.directory == "/marker"; }));
}

TEST_CASE("what is no longer in the set is no longer told", "[watch]") {
  Watched it;
  it.make("a.d");
  it.make("b.d");
  it.follow({"/a.d", "/b.d"});
  it.follow({"/b.d"});
  it.directory.write("a.d/x.conf", "");
  it.directory.write("b.d/x.conf", "");
  CHECK(it.sees("/b.d", "x.conf"));
  CHECK(std::ranges::none_of(it.changes, [](const auto& change) { return change.directory == "/a.d"; }));
}

TEST_CASE("over the limit of watches the rest is a problem, and what is watched stays so", "[watch]") {
  Watched it(1);
  it.make("a.d");
  it.make("b.d");
  it.follow({"/a.d", "/b.d"});
  CHECK(it.watch.problem().find("/b.d") != std::string::npos);
  CHECK(it.watch.problem().find("max_user_watches") != std::string::npos);
  it.directory.write("a.d/x.conf", "");
  CHECK(it.sees("/a.d", "x.conf"));
  it.follow({"/b.d"});
  CHECK(it.watch.problem().empty());
}

TEST_CASE("a file where the directory should be is waited out", "[watch]") {
  Watched it;
  it.directory.write("a.d", "a file");
  it.follow({"/a.d"});
  CHECK(it.watch.problem().empty());
  it.remove("a.d");
  it.make("a.d");
  CHECK(it.sees("/a.d", ""));
}

TEST_CASE("when the kernel has dropped events everything may have changed", "[watch]") {
  Watched it;
  it.make("a.d");
  it.follow({"/a.d"});
  // Each name once: equal events in a row would be merged. The default queue holds 16384.
  const std::string base = (it.directory.path() / "a.d/f").string();
  it.directory.write("a.d/f0", "");
  std::string from = base + "0";
  for (int i = 1; i < 20'000; ++i) {
    const std::string to = base + std::to_string(i);
    REQUIRE(::rename(from.c_str(), to.c_str()) == 0);
    from = to;
  }
  CHECK(it.sees("", ""));
  it.settle();
  it.directory.write("a.d/x.conf", "");
  CHECK(it.sees("/a.d", "x.conf"));
}
