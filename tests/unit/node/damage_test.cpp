// SPDX-License-Identifier: Apache-2.0
// Every file of every machine, damaged in every way: the same is read as if it were not there, which is a
// part of what was read before, and one problem names it.
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "node/read.hpp"
#include "support/catch.hpp"
#include "support/machine_tree.hpp"

using namespace allocd;
using namespace allocd::node;

namespace {

NodeState without_problems(NodeState state) {
  state.problems.clear();
  return state;
}

// How many elements of two lists differ; lists of two lengths differ throughout.
template <typename Element>
std::size_t count_different(const std::vector<Element>& a, const std::vector<Element>& b) {
  if (a.size() != b.size()) return std::max(a.size(), b.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += a[i] == b[i] ? 0U : 1U;
  return count;
}

std::size_t count_different_parts(const NodeState& a, const NodeState& b) {
  const bool thp = a.thp != b.thp;
  const bool numa = a.numa != b.numa;
  const bool hugetlb = a.hugetlb != b.hugetlb;
  const bool iommu = a.iommu != b.iommu;
  const bool vm = a.vm != b.vm;
  const bool memory = a.memory != b.memory;
  return std::size_t{thp} + numa + hugetlb + iommu + vm + memory;
}

// One file gives figures of one part, of one size, node and pool; these two give more.
void check_reach(const std::string& path, const NodeState& base, const NodeState& without) {
  const bool is_vmstat = path == "/proc/vmstat";
  const bool is_of_all_nodes = path.ends_with("/has_cpu") || path.ends_with("/has_memory");
  CHECK(count_different_parts(base, without) == (is_vmstat ? 2 : 1));
  CHECK(count_different(base.thp.sizes, without.thp.sizes) <= 1);
  if (!is_of_all_nodes) CHECK(count_different(base.numa.nodes, without.numa.nodes) <= 1);
  CHECK(count_different(base.hugetlb.value(), without.hugetlb.value()) <= 1);
}

// The problems of `after` beyond those of `before`, which must all still be there.
std::vector<ReadProblem> added(const NodeState& before, const NodeState& after) {
  auto rest = after.problems;
  for (const auto& problem : before.problems) {
    const auto same = std::ranges::find(rest, problem);
    REQUIRE(same != rest.end());
    rest.erase(same);
  }
  return rest;
}

// A prefix that does not end a line: a cut at the end of one cannot be seen in every file.
std::string cut(const std::string& content) {
  std::string part = content.substr(0, content.size() / 2);
  while (!part.empty() && part.back() == '\n') part.pop_back();
  return part;
}

// The same files stand for each of their kind.
bool is_worth_it(const std::string& path) {
  const bool is_of_a_size = path.find("transparent_hugepage/hugepages-") != std::string::npos;
  return !is_of_a_size || path.find("-2048kB") != std::string::npos ||
         path.find("-524288kB") != std::string::npos;
}

// Reads as a user who may not read the file, whoever runs the tests.
NodeState read_unprivileged(const test::MachineTree& tree, const std::string& path) {
  REQUIRE(::chmod(tree.path_of(path).c_str(), 0) == 0);
  const bool is_root = ::geteuid() == 0;
  if (is_root) ::setfsuid(65534);
  auto state = read_node(tree.root());
  if (is_root) ::setfsuid(0);
  return state;
}

void check_one_problem(const NodeState& base, const NodeState& damaged, const NodeState& without,
                       const std::string& path, ProblemKind kind) {
  CHECK(without_problems(damaged) == without_problems(without));
  const auto problems = added(base, damaged);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].path == path);
  CHECK(problems[0].kind == kind);
  CHECK_FALSE(problems[0].what.empty());
  CHECK(count_errors(damaged) == count_errors(base) + 1);
}

void check_file(const test::MachineTree& tree, const NodeState& base, const std::string& path,
                const std::string& content) {
  CAPTURE(path);
  tree.remove(path);
  const auto without = read_node(tree.root());
  check_reach(path, base, without);
  CHECK(count_errors(without) <= count_errors(base) + 1);  // a group without its type is an odd thing
  const std::vector<std::string> damages{"", cut(content),
                                         std::string("\x7f"
                                                     "ELF\0\xff\xfe\n",
                                                     8),
                                         std::string(std::size_t{300} << 10U, '1') + "\n"};
  for (std::size_t i = 0; i < damages.size(); ++i) {
    CAPTURE(i);
    tree.write(path, damages[i]);
    check_one_problem(base, read_node(tree.root()), without, path, ProblemKind::malformed);
  }
  tree.write(path, content);
  check_one_problem(base, read_unprivileged(tree, path), without, path, ProblemKind::not_permitted);
  tree.remove(path);
  tree.make_directory(path);
  check_one_problem(base, read_node(tree.root()), without, path, ProblemKind::io);
  tree.remove(path);
  tree.write(path, content);
}

}  // namespace

TEST_CASE("damage: one file costs its own figures and nothing else") {
  const std::string name = GENERATE("5.14-two-nodes", "6.1-eight-nodes", "6.8-two-nodes", "6.12-two-nodes",
                                    "6.12-three-nodes", "6.18-one-node", "arm64-64k-pages");
  CAPTURE(name);
  const test::MachineTree tree(name);
  const auto base = read_node(tree.root());
  REQUIRE(count_errors(base) == 0);
  for (const auto& [path, content] : tree.files()) {
    if (is_worth_it(path)) check_file(tree, base, path, content);
  }
  CHECK(read_node(tree.root()) == base);
}
