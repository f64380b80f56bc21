// SPDX-License-Identifier: Apache-2.0
// Captured control groups under one unit's name, damaged and exchanged while the unit is watched.
#include "observer/unit_memory.hpp"

#include <chrono>
#include <filesystem>
#include <iterator>
#include <set>
#include <string>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using kernel::MemoryStat;
using observer::Clock;
using observer::UnitMemoryWatch;
using snapshot::CgroupMemoryState;
using namespace std::chrono_literals;

namespace {

const std::string kFixtures = std::string(ALLOCD_TESTS_DIR) + "/fixtures/cgroup/";
const std::string kGroup = "/system.slice/vllm.service";
constexpr auto kInterval = std::chrono::milliseconds(60'000);
constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20U;

class Machine {
 public:
  explicit Machine(const std::string& fixture) : root_(make_root(fixture)), watch(root_) {
    unit.name = "vllm.service";
    unit.control_group = kGroup;
    unit.invocation_id = "1";
  }
  [[nodiscard]] std::filesystem::path place() const { return directory_.path() / ("sys/fs/cgroup" + kGroup); }
  void write(const std::string& file, const std::string& text) const {
    directory_.write("sys/fs/cgroup" + kGroup + "/" + file, text);
  }
  void exchange(const std::string& fixture) const {
    std::filesystem::remove_all(place());
    std::filesystem::copy(kFixtures + fixture + "/sys/fs/cgroup" + kGroup, place(),
                          std::filesystem::copy_options::recursive);
  }
  const snapshot::UnitCgroup& sample(Clock::duration later = 10s) {
    now += later;
    unit.cgroup = {};
    watch.sample(unit, now, kInterval);
    return unit.cgroup;
  }

 private:
  host::Root make_root(const std::string& fixture) {
    std::filesystem::copy(kFixtures + fixture, directory_.path(), std::filesystem::copy_options::recursive);
    auto root = host::Root::open(directory_.path().string());
    REQUIRE(root);
    return std::move(*root);
  }
  test::TemporaryDirectory directory_;
  host::Root root_;

 public:
  UnitMemoryWatch watch;
  snapshot::Unit unit;
  Clock::time_point now{};
};

}  // namespace

TEST_CASE("unit memory: all of it at the first look, then what changes with each sample") {
  Machine machine("debian-6.12");
  const auto first = machine.sample();
  REQUIRE(first.state == CgroupMemoryState::available);
  CHECK(first.read_at > 0);
  CHECK(first.limits_read_at == first.read_at);
  CHECK(first.memory->nodes.size() == 2);
  CHECK(first.memory->stat[MemoryStat::anon_thp] == 64 * kMebibyte);
  machine.write("memory.current", "4096\n");
  machine.write("memory.high", "max\n");
  const auto& second = machine.sample(1ms);
  CHECK(second.memory->current == 4096U);
  CHECK_FALSE(second.memory->high->is_unlimited());
  CHECK(second.limits_read_at == first.limits_read_at);
  CHECK(machine.sample(kInterval).memory->high->is_unlimited());
  CHECK(machine.watch.take_totals().errors == 0);
}

TEST_CASE("unit memory: the slow reading comes round once in its interval, not with each sample") {
  Machine machine("debian-6.12");
  machine.sample();
  machine.sample(kInterval);
  const auto slow = machine.unit.cgroup.limits_read_at;
  machine.write("memory.max", "1048576\n");
  for (int i = 0; i < 5; ++i) CHECK(machine.sample().limits_read_at == slow);
  CHECK(machine.sample().memory->max->bytes == kMebibyte);
}

TEST_CASE("unit memory: a unit that has started again is another group under the same name") {
  Machine machine("debian-6.12");
  machine.sample();
  machine.exchange("composed-5.14");
  machine.unit.invocation_id = "2";
  const auto& again = machine.sample();
  CHECK(again.state == CgroupMemoryState::available);
  CHECK_FALSE(again.memory->peak);
  CHECK(again.memory->events[kernel::MemoryEvent::oom] == 3U);
  CHECK(machine.watch.take_totals().errors == 0);
}

TEST_CASE("unit memory: a group that has gone shows no figures, and is found again when it is back") {
  Machine machine("debian-6.12");
  machine.sample();
  std::filesystem::remove_all(machine.place());
  CHECK(machine.sample(kInterval).state == CgroupMemoryState::gone);
  CHECK_FALSE(machine.unit.cgroup.memory);
  CHECK(machine.sample().state == CgroupMemoryState::gone);
  machine.exchange("debian-6.1");
  CHECK(machine.sample().state == CgroupMemoryState::available);
  CHECK(machine.watch.take_totals().errors == 0);
}

TEST_CASE("unit memory: a unit that is down has no group and no figures") {
  Machine machine("debian-6.12");
  machine.sample();
  machine.unit.control_group.clear();
  CHECK(machine.sample().state == CgroupMemoryState::not_read);
  CHECK_FALSE(machine.unit.cgroup.memory);
}

TEST_CASE("unit memory: why there is none") {
  const auto [fixture, state] = GENERATE(table<std::string, CgroupMemoryState>({
      {"controller-off-6.18", CgroupMemoryState::controller_off},
      {"composed-v1", CgroupMemoryState::cgroup_v1},
      {"hybrid-6.18", CgroupMemoryState::cgroup_v1},
  }));
  CAPTURE(fixture);
  Machine machine(fixture);
  CHECK(machine.sample().state == state);
  CHECK_FALSE(machine.unit.cgroup.memory);
  CHECK(machine.watch.take_totals().errors == 0);
}

TEST_CASE("unit memory: a controller that is switched on is noticed with the slow reading") {
  Machine machine("controller-off-6.18");
  machine.sample();
  machine.exchange("debian-6.12");
  CHECK(machine.sample(1ms).state == CgroupMemoryState::controller_off);
  CHECK(machine.sample(kInterval).state == CgroupMemoryState::available);
}

TEST_CASE("unit memory: a damaged file costs its own figures and is an error, never a 0") {
  const std::string file = GENERATE("memory.current", "memory.stat", "memory.events", "memory.numa_stat");
  const std::string text = GENERATE(as<std::string>{}, "", "12", std::string("\0\xff\n", 3));
  CAPTURE(file, text);
  Machine machine("debian-6.12");
  machine.write(file, text);
  const auto& shown = machine.sample();
  REQUIRE(shown.state == CgroupMemoryState::available);
  CHECK(shown.memory->errors() == 1);
  CHECK(shown.memory->current.has_value() == (file != "memory.current"));
  CHECK(shown.memory->stat.empty() == (file == "memory.stat"));
  CHECK(shown.memory->nodes.empty() == (file == "memory.numa_stat"));
  CHECK(shown.memory->peak);
  const auto totals = machine.watch.take_totals();
  CHECK(totals.errors == 1);
  CHECK(totals.permission_errors == 0);
  CHECK(totals.error == "vllm.service: " + file + ": malformed");
}

TEST_CASE("unit memory: units are spread over the slow interval") {
  Machine machine("debian-6.12");
  std::set<double> seconds;
  for (int i = 0; i < 32; ++i) {
    snapshot::Unit unit = machine.unit;
    unit.name = "vllm@" + std::to_string(i) + ".service";
    double last = -1;
    for (int step = 0; step <= 60; ++step) {
      machine.watch.sample(unit, Clock::time_point(1s * step), kInterval);
      if (last >= 0 && unit.cgroup.limits_read_at != last) {
        seconds.insert(step);
        break;
      }
      last = unit.cgroup.limits_read_at;
    }
  }
  CHECK(seconds.size() >= 10);
}

TEST_CASE("unit memory: what is watched no more is let go") {
  Machine machine("debian-6.12");
  machine.sample();
  machine.watch.forget_unless([](const std::string&) { return false; });
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const auto without = open_files();
  machine.sample();
  CHECK(open_files() == without + 5);
  machine.watch.forget_unless([](const std::string&) { return false; });
  CHECK(open_files() == without);
}
