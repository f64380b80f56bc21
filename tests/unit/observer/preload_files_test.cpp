// SPDX-License-Identifier: Apache-2.0
#include "observer/preload_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "kernel/system.hpp"
#include "support/catch.hpp"
#include "support/child_program.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using observer::PreloadFiles;

namespace {

constexpr const char* kPreload = "[Service]\nEnvironment=LD_PRELOAD=libjemalloc.so.2\n";

class Tree {
 public:
  Tree() : root(*host::Root::open(directory.path().string())) {}

  void write(const std::string& name, const std::string& text) const { directory.write(name, text); }
  void set_modified(const std::string& name, std::chrono::hours ago) const {
    std::filesystem::last_write_time(directory.path() / name,
                                     std::filesystem::file_time_type::clock::now() - ago);
  }
  [[nodiscard]] double changed_at(const std::string& name) const {
    struct stat status{};
    REQUIRE(::stat((directory.path() / name).c_str(), &status) == 0);
    return static_cast<double>(status.st_ctim.tv_sec) + static_cast<double>(status.st_ctim.tv_nsec) * 1e-9;
  }
  // Two changes of a file within one tick of the kernel's clock look like one.
  void wait_for_a_later_time_than(double time) const {
    REQUIRE(test::eventually([&] {
      write("clock", "");
      return changed_at("clock") > time;
    }));
  }

  test::TemporaryDirectory directory;
  host::Root root;
};

host::UnitFacts with_preload(const std::string& library) {
  host::UnitFacts facts;
  facts.name = "vllm.service";
  facts.fragment_path = "/unit";
  facts.drop_in_paths = {"/preload.conf"};
  if (!library.empty()) facts.environment = {"OMP_NUM_THREADS=8", "LD_PRELOAD=" + library};
  return facts;
}

}  // namespace

TEST_CASE("preload files: the newest that speaks of a preload, whatever else was edited since") {
  const Tree tree;
  tree.write("unit", "[Service]\nExecStart=/bin/true\n");
  tree.write("preload.conf", kPreload);
  tree.wait_for_a_later_time_than(tree.changed_at("preload.conf"));
  tree.write("other.conf", "[Service]\nTimeoutStopSec=5\n");
  PreloadFiles files(tree.root);
  const std::vector<std::string> all{"/unit", "/preload.conf", "/other.conf", "/absent", ""};
  CHECK(files.newest(all) == tree.changed_at("preload.conf"));
  CHECK(files.newest(std::vector<std::string>{"/unit", "/other.conf"}) == 0);
  // A file that begins to speak of it counts from then on.
  tree.wait_for_a_later_time_than(tree.changed_at("other.conf"));
  tree.write("other.conf", "[Service]\nEnvironmentFile=/etc/default/vllm\n");
  CHECK(files.newest(all) == tree.changed_at("other.conf"));
}

TEST_CASE("preload files: a file that came with an old modification time is as new as its arrival") {
  const Tree tree;
  const double before = kernel::realtime_now() - 60;
  tree.write("copied", kPreload);
  tree.set_modified("copied", std::chrono::hours(1000));
  PreloadFiles files(tree.root);
  CHECK(files.newest(std::vector<std::string>{"/copied"}) > before);
  // One that says it is from the future is believed: it is the later of the two.
  tree.set_modified("copied", std::chrono::hours(-1));
  CHECK(files.newest(std::vector<std::string>{"/copied"}) > before + 3000);
}

TEST_CASE("preload files: another file put in the place of one is read") {
  const Tree tree;
  tree.write("old", "[Service]\n");
  tree.write("new", kPreload);
  PreloadFiles files(tree.root);
  const std::vector<std::string> path{"/old"};
  CHECK(files.newest(path) == 0);
  std::filesystem::rename(tree.directory.path() / "new", tree.directory.path() / "old");
  CHECK(files.newest(path) > 0);
}

TEST_CASE("preload files: what is loaded at first sight is as old as its files") {
  const Tree tree;
  tree.write("unit", "[Service]\n");
  tree.write("preload.conf", kPreload);
  PreloadFiles files(tree.root);
  const double later = kernel::realtime_now() + 500;
  CHECK(files.loaded_at(with_preload("libjemalloc.so.2"), later) == tree.changed_at("preload.conf"));
}

TEST_CASE("preload files: a setting seen to come in counts from the reload that brought it") {
  const Tree tree;
  tree.write("unit", "[Service]\n");
  tree.write("preload.conf", kPreload);
  PreloadFiles files(tree.root);
  const double reload = kernel::realtime_now() + 500;
  auto before = with_preload("");
  before.drop_in_paths.clear();
  CHECK(files.loaded_at(before, reload - 1000) == 0);
  CHECK(files.loaded_at(with_preload("libjemalloc.so.2"), reload) == reload);
  // What else systemd reads again, or learns of the unit, does not make the setting any younger.
  CHECK(files.loaded_at(with_preload("libjemalloc.so.2"), reload + 100) == reload);
  auto restarted = with_preload("libjemalloc.so.2");
  restarted.main_pid = 77;
  restarted.environment.insert(restarted.environment.begin(), "OMP_PROC_BIND=true");
  restarted.drop_in_paths.emplace_back("/other.conf");
  tree.wait_for_a_later_time_than(tree.changed_at("preload.conf"));
  tree.write("preload.conf", std::string("# a remark\n") + kPreload);
  CHECK(files.loaded_at(restarted, reload + 200) == reload);
  // Each of these does.
  auto changed = with_preload("libtcmalloc.so.4");
  CHECK(files.loaded_at(changed, reload + 300) == reload + 300);
  changed.unset_environment = {"LD_PRELOAD"};
  CHECK(files.loaded_at(changed, reload + 400) == reload + 400);
  changed.environment_files = {{"/etc/default/vllm", true}};
  CHECK(files.loaded_at(changed, reload + 500) == reload + 500);
  changed.exec_start = {{"/usr/bin/env", "LD_PRELOAD=", "vllm"}};
  CHECK(files.loaded_at(changed, reload + 600) == reload + 600);
}

TEST_CASE("preload files: when the reload is not known, the files speak") {
  const Tree tree;
  tree.write("unit", "[Service]\n");
  PreloadFiles files(tree.root);
  auto before = with_preload("");
  before.drop_in_paths.clear();
  CHECK(files.loaded_at(before, 0) == 0);
  tree.write("preload.conf", kPreload);
  CHECK(files.loaded_at(with_preload("libjemalloc.so.2"), 0) == tree.changed_at("preload.conf"));
}

TEST_CASE("preload files: a unit that is watched no more is forgotten") {
  const Tree tree;
  tree.write("unit", "[Service]\n");
  tree.write("preload.conf", kPreload);
  PreloadFiles files(tree.root);
  const double reload = kernel::realtime_now() + 500;
  CHECK(files.loaded_at(with_preload(""), reload) > 0);
  CHECK(files.loaded_at(with_preload("libjemalloc.so.2"), reload) == reload);
  files.forget_unless([](const std::string& unit) { return unit == "vllm.service"; });
  CHECK(files.loaded_at(with_preload("libjemalloc.so.2"), reload) == reload);
  files.forget_unless([](const std::string&) { return false; });
  CHECK(files.loaded_at(with_preload("libjemalloc.so.2"), reload) == tree.changed_at("preload.conf"));
}
