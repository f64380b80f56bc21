// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup_memory.hpp"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "base/text.hpp"
#include "kernel/cgroup.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"
#include "support/without_rights.hpp"

using namespace allocd;
using kernel::CgroupMemory;
using kernel::FileProblemKind;
using kernel::Limit;
using kernel::MemoryEvent;
using kernel::MemoryStat;
using kernel::NoCgroupMemory;
using kernel::NodeKind;

namespace {

const std::string kMount = "/sys/fs/cgroup";
const std::string kUnit = "/system.slice/vllm.service";
const std::string kFixtures = std::string(ALLOCD_TESTS_DIR) + "/fixtures/cgroup/";

host::Root open_root(const std::string& path) {
  auto root = host::Root::open(path);
  REQUIRE(root);
  return std::move(*root);
}

std::expected<CgroupMemory, NoCgroupMemory> read_at(const std::string& path,
                                                    const std::string& unit = kUnit) {
  const auto root = open_root(path);
  return kernel::CgroupMemoryReader(root, kMount).read(unit);
}

CgroupMemory read_fixture(const std::string& name) {
  auto memory = read_at(kFixtures + name);
  REQUIRE(memory);
  return *memory;
}

// A copy of a captured tree, to be damaged.
class DamagedTree {
 public:
  explicit DamagedTree(const std::string& fixture) {
    std::filesystem::copy(kFixtures + fixture, directory_.path(), std::filesystem::copy_options::recursive);
  }
  void write(const std::string& file, const std::string& text) const {
    directory_.write(kPlace + file, text);
  }
  void remove(const std::string& file) const {
    REQUIRE(std::filesystem::remove(directory_.path() / (kPlace + file)));
  }
  [[nodiscard]] CgroupMemory read() const {
    auto memory = read_at(directory_.path().string());
    REQUIRE(memory);
    return *memory;
  }
  [[nodiscard]] std::string path() const { return directory_.path().string(); }
  inline static const std::string kPlace = "sys/fs/cgroup/system.slice/vllm.service/";

 private:
  test::TemporaryDirectory directory_;
};

// What awk says of the same file.
std::uint64_t second_opinion(const std::string& program, const std::string& file) {
  const std::string command = "awk '" + program + "' " + file;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
  REQUIRE(pipe);
  unsigned long long value = 0;
  REQUIRE(std::fscanf(pipe.get(), "%llu", &value) == 1);
  return value;
}

}  // namespace

TEST_CASE("cgroup memory: figures of captured kernels, as a second reader sees them") {
  const std::string name =
      GENERATE("debian-6.1", "debian-6.12", "debian-6.12-no-psi", "composed-5.14", "composed-6.8");
  CAPTURE(name);
  const auto memory = read_fixture(name);
  const std::string place = kFixtures + name + "/" + DamagedTree::kPlace;
  CHECK(memory.current == second_opinion("{printf \"%.0f\", $1}", place + "memory.current"));
  std::size_t known = 0;
  for (const auto key : kernel::kMemoryStatNames.values()) {
    const std::string wanted(kernel::kMemoryStatNames.name(key));
    CAPTURE(wanted);
    const std::string file = place + "memory.stat";
    const bool exists = second_opinion("$1==\"" + wanted + "\"{n++} END{print n+0}", file) == 1;
    REQUIRE(memory.stat[key].has_value() == exists);
    if (!exists) continue;
    CHECK(*memory.stat[key] == second_opinion("$1==\"" + wanted + "\"{printf \"%.0f\", $2}", file));
    ++known;
  }
  CHECK(known >= 24);
  for (const auto key : kernel::kNodeKindNames.values()) {
    const std::string kind(kernel::kNodeKindNames.name(key));
    CAPTURE(kind);
    REQUIRE(memory.nodes.size() == 2);
    std::uint64_t sum = 0;
    for (const auto& [node, figures] : memory.nodes) sum += figures[key].value_or(0);
    CHECK(sum == second_opinion("$1==\"" + kind +
                                    "\"{for(i=2;i<=NF;i++){sub(/.*=/,\"\",$i);s+=$i}} "
                                    "END{printf \"%.0f\", s}",
                                place + "memory.numa_stat"));
  }
}

TEST_CASE("cgroup memory: what the captured unit held") {
  const std::string name = GENERATE("debian-6.1", "debian-6.12");
  const auto memory = read_fixture(name);
  constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20U;
  CHECK(memory.stat[MemoryStat::anon_thp] == 64 * kMebibyte);
  CHECK(memory.stat[MemoryStat::thp_fault_alloc] == 32U);
  CHECK(memory.stat[MemoryStat::shmem] == 24 * kMebibyte);
  CHECK(*memory.stat[MemoryStat::anon] >= 88 * kMebibyte);
  CHECK(memory.events[MemoryEvent::oom_kill] == 0U);
  CHECK(memory.oom_group == true);
  CHECK(memory.high == Limit{384 * kMebibyte});
  REQUIRE(memory.max);
  CHECK(memory.max->is_unlimited());
  REQUIRE(memory.pressure);
  CHECK(memory.pressure->full);
  CHECK_FALSE(memory.pressure_is_off);
  CHECK(memory.problems.empty());
}

TEST_CASE("cgroup memory: what a unit over its limit shows") {
  const auto memory = read_fixture("debian-6.12-pressed");
  CHECK(memory.problems.empty());
  CHECK(memory.current == 49721344U);
  CHECK(memory.peak == 50589696U);
  CHECK(memory.high == Limit{50331648});
  REQUIRE(memory.effective_high);
  CHECK(memory.effective_high->group == kUnit);
  CHECK(memory.events[MemoryEvent::high] == 166U);
  CHECK(memory.events[MemoryEvent::max] == 0U);
  CHECK(memory.swap_current == 51490816U);
  CHECK(memory.stat[MemoryStat::swapcached] == 196608U);
  CHECK(memory.stat[MemoryStat::workingset_refault_anon] == 14U);
  REQUIRE(memory.pressure);
  REQUIRE(memory.pressure->full);
  CHECK(memory.pressure->full->total_microseconds == 3248482U);
  CHECK(memory.nodes.at(0)[NodeKind::anon] == 45510656U);
  CHECK(memory.nodes.at(1)[NodeKind::anon] == 3817472U);
}

TEST_CASE("cgroup memory: the effective limit names the group that sets it") {
  const auto memory = read_fixture("debian-6.12");
  REQUIRE(memory.effective_max);
  CHECK(memory.effective_max->limit == Limit{std::uint64_t{1} << 30U});
  CHECK(memory.effective_max->group == "/system.slice");
  REQUIRE(memory.effective_high);
  CHECK(memory.effective_high->limit == memory.high);
  CHECK(memory.effective_high->group == kUnit);
}

TEST_CASE("cgroup memory: without a limit anywhere there is none, and nobody sets it") {
  const DamagedTree tree("debian-6.1");
  tree.write("memory.high", "max\n");
  tree.write("../memory.max", "max\n");
  const auto memory = tree.read();
  REQUIRE(memory.effective_high);
  REQUIRE(memory.effective_max);
  CHECK(memory.effective_high->limit.is_unlimited());
  CHECK(memory.effective_high->group.empty());
  CHECK(memory.effective_max->limit.is_unlimited());
}

TEST_CASE("cgroup memory: an ancestor whose limit cannot be read leaves the effective one unknown") {
  const DamagedTree tree("debian-6.12");
  tree.write("../memory.max", "much\n");
  const auto memory = tree.read();
  CHECK_FALSE(memory.effective_max);
  CHECK(memory.effective_high);
  REQUIRE(memory.problems.size() == 1);
  CHECK(memory.problems[0].file == "/system.slice/memory.max");
  CHECK(memory.problems[0].kind == FileProblemKind::malformed);
}

TEST_CASE("cgroup memory: an older kernel lacks files, which is no error") {
  const auto memory = read_fixture("composed-5.14");
  CHECK_FALSE(memory.peak);
  CHECK_FALSE(memory.swap_current);
  CHECK_FALSE(memory.stat[MemoryStat::kernel]);
  CHECK_FALSE(memory.events[MemoryEvent::oom_group_kill]);
  CHECK(memory.events[MemoryEvent::oom] == 3U);
  CHECK(memory.nodes.at(1)[NodeKind::shmem] == 1073741824U);
  REQUIRE(memory.pressure);
  CHECK(memory.pressure->some.avg10 == 1.25);
  CHECK(memory.pressure->full->total_microseconds == 1234000U);
  CHECK(memory.problems.size() == 3);
  CHECK(memory.errors() == 0);
}

TEST_CASE("cgroup memory: a kernel that keeps no pressure is told from one whose file is broken") {
  const auto off = read_fixture("debian-6.12-no-psi");
  CHECK(off.pressure_is_off);
  CHECK_FALSE(off.pressure);
  CHECK(off.problems.empty());
  const DamagedTree tree("debian-6.12");
  tree.write("memory.pressure", "some avg10=");
  const auto broken = tree.read();
  CHECK_FALSE(broken.pressure_is_off);
  CHECK_FALSE(broken.pressure);
  CHECK(broken.errors() == 1);
}

TEST_CASE("cgroup memory: why there is none") {
  CHECK(read_at(kFixtures + "controller-off-6.18").error() == NoCgroupMemory::controller_off);
  CHECK(read_at(kFixtures + "debian-6.12", "/system.slice/gone.service").error() == NoCgroupMemory::gone);
  const auto hybrid = open_root(kFixtures + "hybrid-6.18");
  CHECK(kernel::CgroupMemoryReader(hybrid, "/sys/fs/cgroup/systemd").read(kUnit).error() ==
        NoCgroupMemory::cgroup_v1);
  const auto pure = open_root(kFixtures + "composed-v1");
  const auto mount = kernel::find_cgroup_mount(pure);
  CHECK(mount == "/sys/fs/cgroup/systemd");
  CHECK(kernel::CgroupMemoryReader(pure, mount).read(kUnit).error() == NoCgroupMemory::cgroup_v1);
  const DamagedTree tree("debian-6.12");
  tree.remove("cgroup.controllers");
  CHECK(read_at(tree.path()).error() == NoCgroupMemory::gone);
}

TEST_CASE("cgroup memory: one bad file costs its own figures alone") {
  const std::string file =
      GENERATE("memory.current", "memory.peak", "memory.high", "memory.max", "memory.swap.current",
               "memory.swap.max", "memory.oom.group", "memory.stat", "memory.events", "memory.numa_stat");
  const std::string text = GENERATE(as<std::string>{}, "", "12", "-1\n", "nonsense\n", "anon 12\nfile",
                                    std::string("\0\xff\x80\n", 4), std::string(100000, '9') + "\n");
  CAPTURE(file, text.substr(0, 20));
  const auto whole = read_fixture("debian-6.12");
  const DamagedTree tree("debian-6.12");
  tree.write(file, text);
  const auto memory = tree.read();
  REQUIRE(memory.problems.size() == 1);
  CHECK(memory.problems[0].file == file);
  CHECK(memory.problems[0].kind == FileProblemKind::malformed);
  CHECK(memory.errors() == 1);
  CHECK(memory.current.has_value() == (file != "memory.current"));
  CHECK(memory.peak.has_value() == (file != "memory.peak"));
  CHECK(memory.high.has_value() == (file != "memory.high"));
  CHECK(memory.max.has_value() == (file != "memory.max"));
  CHECK(memory.effective_max.has_value() == (file != "memory.max"));
  CHECK(memory.swap_current.has_value() == (file != "memory.swap.current"));
  CHECK(memory.swap_max.has_value() == (file != "memory.swap.max"));
  CHECK(memory.oom_group.has_value() == (file != "memory.oom.group"));
  CHECK(memory.stat.empty() == (file == "memory.stat"));
  CHECK(memory.events.empty() == (file == "memory.events"));
  CHECK(memory.nodes.empty() == (file == "memory.numa_stat"));
  if (file != "memory.stat") CHECK(memory.stat == whole.stat);
}

TEST_CASE("cgroup memory: a group in which a file is a directory still gives the rest") {
  const DamagedTree tree("debian-6.12");
  tree.remove("memory.stat");
  tree.write("memory.stat/inside", "");
  const auto memory = tree.read();
  CHECK(memory.stat.empty());
  REQUIRE(memory.problems.size() == 1);
  CHECK(memory.problems[0].kind == FileProblemKind::io);
  CHECK(memory.current);
}

TEST_CASE("cgroup memory: what may not be read is told from what is not there") {
  const DamagedTree tree("debian-6.12");
  const std::string file = GENERATE("memory.stat", "memory.peak", "memory.max");
  CAPTURE(file);
  std::filesystem::permissions(std::filesystem::path(tree.path()) / (DamagedTree::kPlace + file),
                               std::filesystem::perms::none);
  std::filesystem::permissions(tree.path(),
                               std::filesystem::perms(0755));  // a temporary directory is its owner's
  const auto memory = [&] {
    const test::WithoutRights nobody;
    return tree.read();
  }();
  REQUIRE(memory.problems.size() == 1);
  CHECK(memory.problems[0].file == file);
  CHECK(memory.problems[0].kind == FileProblemKind::not_permitted);
  CHECK(memory.errors() == 1);
  CHECK(memory.stat.empty() == (file == "memory.stat"));
  CHECK(memory.current);
}

TEST_CASE("cgroup memory: a sample reads what changes, from files that stay open") {
  const DamagedTree tree("debian-6.12");
  const auto root = open_root(tree.path());
  kernel::CgroupMemoryReader reader(root, kMount);
  const auto group = reader.open(kUnit);
  REQUIRE(group);
  CgroupMemory memory;
  REQUIRE_FALSE(reader.read_all(*group, memory));
  CHECK(memory == read_fixture("debian-6.12"));
  tree.write("memory.current", "4096\n");
  tree.write("memory.events", "low 0\nhigh 7\nmax 0\noom 0\noom_kill 1\noom_group_kill 0\n");
  tree.write("memory.high", "max\n");
  REQUIRE_FALSE(reader.read_fast(*group, memory));
  CHECK(memory.current == 4096U);
  CHECK(memory.events[MemoryEvent::oom_kill] == 1U);
  CHECK_FALSE(memory.high->is_unlimited());
  CHECK(memory.nodes.size() == 2);
  REQUIRE_FALSE(reader.read_all(*group, memory));
  CHECK(memory.high->is_unlimited());
}

TEST_CASE("cgroup memory: a sample's bad file costs its own figures, until it is well again") {
  const std::string text = GENERATE(as<std::string>{}, "", "12", "nonsense\n", std::string("\0\xff\n", 3));
  const std::string file = GENERATE("memory.current", "memory.stat", "memory.events", "memory.pressure");
  CAPTURE(text, file);
  const DamagedTree tree("debian-6.12");
  const auto root = open_root(tree.path());
  kernel::CgroupMemoryReader reader(root, kMount);
  const auto group = reader.open(kUnit);
  REQUIRE(group);
  CgroupMemory memory;
  REQUIRE_FALSE(reader.read_all(*group, memory));
  tree.write(file, text);
  for (int i = 0; i < 2; ++i) REQUIRE_FALSE(reader.read_fast(*group, memory));
  REQUIRE(memory.problems.size() == 1);
  CHECK(memory.problems[0].file == file);
  CHECK(memory.errors() == 1);
  CHECK(memory.current.has_value() == (file != "memory.current"));
  CHECK(memory.stat.empty() == (file == "memory.stat"));
  CHECK(memory.events.empty() == (file == "memory.events"));
  CHECK(memory.pressure.has_value() == (file != "memory.pressure"));
  CHECK(memory.peak);
}

TEST_CASE("cgroup memory: a group that was opened stays the one it was, whatever comes under its name") {
  const DamagedTree tree("debian-6.12");
  const auto root = open_root(tree.path());
  kernel::CgroupMemoryReader reader(root, kMount);
  const auto group = reader.open(kUnit);
  REQUIRE(group);
  CgroupMemory memory;
  REQUIRE_FALSE(reader.read_all(*group, memory));
  const auto place = std::filesystem::path(tree.path()) / DamagedTree::kPlace;
  std::filesystem::remove_all(place);
  // Of the removed group nothing is left to read but what is open.
  CHECK(reader.read_all(*group, memory) == NoCgroupMemory::gone);
  CHECK(reader.open(kUnit).error() == NoCgroupMemory::gone);
  std::filesystem::copy(kFixtures + "debian-6.1/" + DamagedTree::kPlace, place,
                        std::filesystem::copy_options::recursive);
  CHECK(reader.read_all(*group, memory) == NoCgroupMemory::gone);
  CHECK(reader.open(kUnit));
}

TEST_CASE("cgroup memory: one reader keeps nothing of the unit it read before") {
  const auto root = open_root(kFixtures + "debian-6.12");
  kernel::CgroupMemoryReader reader(root, kMount);
  REQUIRE(reader.read(kUnit));
  CHECK(reader.read("/system.slice/gone.service").error() == NoCgroupMemory::gone);
  const auto again = reader.read(kUnit);
  REQUIRE(again);
  CHECK(again->problems.empty());
  CHECK(again->nodes.size() == 2);
}

TEST_CASE("cgroup memory: eight nodes, one of them without memory") {
  const auto nodes = kernel::parse_memory_numa_stat(
      "anon N0=1 N1=2 N2=3 N3=4 N4=5 N5=6 N6=7 N7=0\nfile N0=8 N1=0 N2=0 N3=0 N4=0 N5=0 N6=0 N7=0\n"
      "workingset_nodereclaim N0=9\nsomething_new N0=1\n");
  REQUIRE(nodes);
  REQUIRE(nodes->size() == 8);
  CHECK(nodes->at(6)[NodeKind::anon] == 7U);
  CHECK(nodes->at(7)[NodeKind::anon] == 0U);
  CHECK_FALSE(nodes->at(0)[NodeKind::shmem]);
}

TEST_CASE("cgroup memory: numa_stat that is none") {
  for (const char* text : {"", "anon N0=1", "anon N0\n", "anon 0=1\n", "anon N=1\n", "anon N-1=1\n",
                           "anon N99999999=1\n", "anon N0=1x\n", "\n", "anon N0=1\n\n"}) {
    CAPTURE(text);
    CHECK_FALSE(kernel::parse_memory_numa_stat(text));
  }
}

TEST_CASE("cgroup memory: limits") {
  CHECK(kernel::parse_limit("max\n") == Limit{});
  CHECK(kernel::parse_limit("0\n") == Limit{0});
  CHECK(kernel::parse_limit("4096\n") == Limit{4096});
  for (const char* text : {"", "max", "maximum\n", "4096", "4096 \n5\n", "-1\n", "18446744073709551616\n"}) {
    CAPTURE(text);
    CHECK_FALSE(kernel::parse_limit(text));
  }
}
