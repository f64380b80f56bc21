// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup.hpp"

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;

namespace {

const std::string kMount = "/sys/fs/cgroup";
const std::string kUnit = "sys/fs/cgroup/system.slice/vllm.service/";

host::Root open_root(const test::TemporaryDirectory& directory) {
  auto root = host::Root::open(directory.path().string());
  REQUIRE(root);
  return std::move(*root);
}

}  // namespace

TEST_CASE("cgroup: processes of the group and of all below it") {
  const test::TemporaryDirectory tree;
  tree.write(kUnit + "cgroup.procs", "100\n101\n");
  tree.write(kUnit + "libpod-payload-a/cgroup.procs", "200\n");
  tree.write(kUnit + "libpod-payload-a/inner/cgroup.procs", "300\n");
  const auto root = open_root(tree);
  const auto members = kernel::CgroupTree(root, kMount).list("/system.slice/vllm.service");
  REQUIRE(members);
  REQUIRE(members->processes.size() == 4);
  CHECK(members->groups == std::vector<std::string>{"", "libpod-payload-a", "libpod-payload-a/inner"});
  CHECK(members->processes[3].pid == 300);
  CHECK(members->groups.at(members->processes[3].group) == "libpod-payload-a/inner");
  CHECK_FALSE(members->truncated);
}

TEST_CASE("cgroup: pids out of sight and rubbish are left out") {
  const test::TemporaryDirectory tree;
  tree.write(kUnit + "cgroup.procs", "0\n-5\nabc\n99999999999\n77\n");
  const auto root = open_root(tree);
  const auto members = kernel::CgroupTree(root, kMount).list("/system.slice/vllm.service");
  REQUIRE(members);
  REQUIRE(members->processes.size() == 1);
  CHECK(members->processes[0].pid == 77);
}

TEST_CASE("cgroup: every pid is visited in its order, also without a last newline") {
  const auto visited = [](std::string_view text) {
    std::vector<pid_t> pids;
    kernel::visit_group_processes(text, [&](pid_t pid) { pids.push_back(pid); });
    return pids;
  };
  CHECK(visited("").empty());
  CHECK(visited("\n\n").empty());
  CHECK(visited("7\n3\n3\n") == std::vector<pid_t>{7, 3, 3});
  CHECK(visited("7\n2147483647") == std::vector<pid_t>{7, 2147483647});
  CHECK(visited("2147483648\n 7\n7 \n+7\n0x7\n").empty());
}

TEST_CASE("cgroup: a group that is not there says so, one without a list is empty") {
  const test::TemporaryDirectory tree;
  tree.write(kUnit + "other", "");
  const auto root = open_root(tree);
  const kernel::CgroupTree cgroups(root, kMount);
  CHECK(cgroups.list("/system.slice/gone.service").error().code == ENOENT);
  const auto members = cgroups.list("/system.slice/vllm.service");
  REQUIRE(members);
  CHECK(members->processes.empty());
}

TEST_CASE("cgroup: depth is bounded") {
  const test::TemporaryDirectory tree;
  std::string path = kUnit;
  for (std::size_t i = 0; i < kernel::kMaxDepth + 5; ++i) path += "d/";
  tree.write(path + "cgroup.procs", "5\n");
  const auto root = open_root(tree);
  const auto members = kernel::CgroupTree(root, kMount).list("/system.slice/vllm.service");
  REQUIRE(members);
  CHECK(members->truncated);
  CHECK(members->processes.empty());
}

TEST_CASE("cgroup: globs match component by component") {
  const test::TemporaryDirectory tree;
  tree.write("sys/fs/cgroup/machine.slice/libpod-1.scope/cgroup.procs", "");
  tree.write("sys/fs/cgroup/machine.slice/libpod-2.scope/cgroup.procs", "");
  tree.write("sys/fs/cgroup/machine.slice/libpod-2.scope/container/cgroup.procs", "");
  tree.write("sys/fs/cgroup/machine.slice/other.scope/cgroup.procs", "");
  const auto root = open_root(tree);
  const kernel::CgroupTree cgroups(root, kMount);
  CHECK(cgroups.match("/machine.slice/libpod-*.scope") ==
        std::vector<std::string>{"/machine.slice/libpod-1.scope", "/machine.slice/libpod-2.scope"});
  CHECK(cgroups.match("/*/libpod-2.scope/*") ==
        std::vector<std::string>{"/machine.slice/libpod-2.scope/container"});
  CHECK(cgroups.match("/none/*").empty());
  CHECK(cgroups.match("/") == std::vector<std::string>{"/"});
}

TEST_CASE("cgroup: the hierarchy systemd uses is found") {
  const test::TemporaryDirectory unified;
  unified.write("sys/fs/cgroup/cgroup.controllers", "memory\n");
  CHECK(kernel::find_cgroup_mount(open_root(unified)) == "/sys/fs/cgroup");
  const test::TemporaryDirectory hybrid;
  hybrid.write("sys/fs/cgroup/systemd/cgroup.procs", "");
  hybrid.write("sys/fs/cgroup/unified/cgroup.procs", "");
  CHECK(kernel::find_cgroup_mount(open_root(hybrid)) == "/sys/fs/cgroup/systemd");
  const test::TemporaryDirectory none;
  CHECK(kernel::find_cgroup_mount(open_root(none)) == "/sys/fs/cgroup");
}
