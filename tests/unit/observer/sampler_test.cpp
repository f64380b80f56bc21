// SPDX-License-Identifier: Apache-2.0
// A tree of plain files for the control groups, living processes in them, and readers that hang on demand.
#include "observer/sampler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/child_program.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using observer::Clock;
using observer::EvidencePool;
using test::ChildProgram;

namespace {

using Release = std::shared_ptr<std::atomic<bool>>;

// Reads of the processes that `is_stuck` names hang until `release`, as on a held memory lock.
struct Reader {
  Release release = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::atomic<int>> reads = std::make_shared<std::atomic<int>>(0);
  std::shared_ptr<std::vector<pid_t>> free_pids = std::make_shared<std::vector<pid_t>>();

  [[nodiscard]] EvidencePool::Read make() const {
    return [*this](const allocator::ProcessHandle& process, observer::Want, const allocator::KeepGoing&) {
      ++*reads;
      if (std::ranges::count(*free_pids, process.pid) == 0) {
        while (!*release) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      allocator::Identification read;
      read.outcome = allocator::Outcome::ok;
      read.evidence.detail = "read";
      // The observer accepts no evidence of another image than the one it sees.
      const auto text = host::read_file_at(process.directory, "stat");
      if (text) read.image = kernel::parse_process_stat(*text).value_or(kernel::ProcessStat{}).image;
      return observer::Reading{std::nullopt, read};
    };
  }
};

class Host {
 public:
  explicit Host(const std::vector<std::string>& patterns)
      : root_(open_root(directory_)), pool(reader.make(), std::chrono::hours(1)), sampler_(root_, pool) {
    settings::Service service;
    service.name = "engines";
    for (const auto& pattern : patterns)
      service.selectors.push_back({settings::SelectorKind::cgroup, pattern, {}});
    settings_.services.push_back(service);
    bus_.connected = bus_.complete = true;
  }
  ~Host() { *reader.release = true; }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  void add_group(const std::string& path, const std::vector<pid_t>& pids = {}) const {
    directory_.write("sys/fs/cgroup" + path + "/cgroup.procs", fmt::format("{}\n", fmt::join(pids, "\n")));
  }
  // What a captured kernel says of a unit's memory, for this group.
  void add_memory(const std::string& path, const std::string& fixture) const {
    std::filesystem::copy(
        std::string(ALLOCD_TESTS_DIR) + "/fixtures/cgroup/" + fixture +
            "/sys/fs/cgroup/system.slice/vllm.service",
        directory_.path() / ("sys/fs/cgroup" + path),
        std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  }
  void write(const std::string& path, const std::string& text) const {
    directory_.write(path.substr(1), text);
  }
  snapshot::Snapshot sample() {
    sampler_.evidence().take_evidence();
    auto snapshot = sampler_.sample(settings_, {}, bus_, Clock::now());
    sampler_.evidence().submit_due(Clock::now(), settings_.observe);
    return snapshot;
  }
  void read_at_most(std::uint32_t processes) { settings_.observe.max_processes_per_unit = processes; }
  [[nodiscard]] bool is_whole(const std::string& unit) const { return sampler_.is_whole(unit); }
  // Has reads meet their deadline until so many are stuck.
  void expire_until_stuck(std::size_t count) {
    REQUIRE(test::eventually([&] {
      if (pool.next_deadline()) pool.expire(Clock::now() + std::chrono::hours(2));
      return pool.counts().stuck >= count;
    }));
  }

 private:
  static host::Root open_root(const test::TemporaryDirectory& directory) {
    directory.write("sys/fs/cgroup/cgroup.controllers", "");
    std::filesystem::create_symlink("/proc", directory.path() / "proc");
    auto root = host::Root::open(directory.path().string());
    REQUIRE(root);
    return std::move(*root);
  }

  test::TemporaryDirectory directory_;
  host::Root root_;
  settings::Settings settings_;
  host::BusState bus_;

 public:
  Reader reader;
  EvidencePool pool;

 private:
  observer::Sampler sampler_;
};

// `count` programs that do nothing.
std::vector<std::unique_ptr<ChildProgram>> start_idle(std::size_t count) {
  std::vector<std::unique_ptr<ChildProgram>> children;
  for (std::size_t i = 0; i < count; ++i) {
    children.push_back(std::make_unique<ChildProgram>(std::vector<std::string>{"/bin/sleep", "100"},
                                                      std::vector<std::string>{}));
  }
  for (const auto& child : children) {
    REQUIRE(test::eventually([&] {
      const auto comm = host::read_file_at(child->directory(), "comm");
      return comm && *comm == "sleep\n";
    }));
  }
  return children;
}

std::vector<pid_t> pids_of(const std::vector<std::unique_ptr<ChildProgram>>& children, std::size_t from,
                           std::size_t count) {
  std::vector<pid_t> pids;
  for (std::size_t i = from; i < from + count; ++i) pids.push_back(children[i]->pid());
  return pids;
}

const snapshot::Collector& collector(const snapshot::Snapshot& snapshot, const std::string& name) {
  const auto found = std::ranges::find(snapshot.collectors, name, &snapshot::Collector::name);
  REQUIRE(found != snapshot.collectors.end());
  return *found;
}

const snapshot::Unit& unit(const snapshot::Snapshot& snapshot, const std::string& name) {
  const auto found = std::ranges::find(snapshot.units, name, &snapshot::Unit::name);
  REQUIRE(found != snapshot.units.end());
  return *found;
}

bool is_read(const snapshot::Unit& unit) {
  return !unit.processes.empty() && std::ranges::all_of(unit.processes, [](const auto& process) {
    return process.evidence.detail == "read";
  });
}

}  // namespace

TEST_CASE("sampler: a pattern that matches too many control groups is cut, and named") {
  Host host({"/many/*", "/few/*"});
  for (int i = 0; i < 300; ++i) host.add_group(fmt::format("/many/{:03}", i));
  host.add_group("/few/one");
  const auto snapshot = host.sample();
  CHECK(snapshot.units.size() == 257);
  CHECK(unit(snapshot, "/few/one").service == "engines");
  const auto& cgroups = collector(snapshot, "cgroups");
  CHECK_FALSE(cgroups.success);
  CHECK(cgroups.last_error == "cgroup: /many/* matches 300 groups, the first 256 are watched");
}

TEST_CASE("sampler: a unit is whole when each of its processes was read, and so is one that has none") {
  const auto children = start_idle(3);
  Host host({"/two", "/one", "/none", "/gone"});
  host.add_group("/two", pids_of(children, 0, 2));
  host.add_group("/one", pids_of(children, 2, 1));
  host.add_group("/none");
  host.add_group("/gone", {1 << 22});
  host.read_at_most(1);
  (void)host.sample();
  CHECK_FALSE(host.is_whole("/two"));
  for (const auto* unit : {"/one", "/none", "/gone"}) CHECK(host.is_whole(unit));
  host.read_at_most(2);
  (void)host.sample();
  CHECK(host.is_whole("/two"));
}

TEST_CASE("sampler: control groups' memory beside the sums of their processes") {
  const auto children = start_idle(2);
  Host host({"/good", "/bad", "/off"});
  for (const auto* path : {"/good", "/bad", "/off"}) host.add_group(path, pids_of(children, 0, 1));
  host.add_memory("/good", "debian-6.12");
  host.add_memory("/bad", "debian-6.12");
  host.write("/sys/fs/cgroup/bad/memory.stat", "nonsense");
  host.add_memory("/off", "controller-off-6.18");
  for (const auto* path : {"/good", "/bad", "/off"}) host.add_group(path, pids_of(children, 0, 1));
  const auto snapshot = host.sample();
  using snapshot::CgroupMemoryState;
  CHECK(unit(snapshot, "/good").cgroup.state == CgroupMemoryState::available);
  CHECK(unit(snapshot, "/good").cgroup.memory->current);
  CHECK(unit(snapshot, "/bad").cgroup.memory->stat.empty());
  CHECK(unit(snapshot, "/off").cgroup.state == CgroupMemoryState::controller_off);
  for (const auto& one : snapshot.units) {
    REQUIRE(one.roles.size() == 1);
    CHECK(one.roles[0].memory.resident > 0);
    CHECK_FALSE(one.processes.at(0).placement.cpus_allowed.empty());
  }
  const auto& memory = collector(snapshot, "cgroup_memory");
  CHECK_FALSE(memory.success);
  CHECK(memory.errors == 1);
  CHECK(memory.last_error == "/bad: memory.stat: malformed");
}

TEST_CASE("sampler: a unit whose processes are all stuck leaves the others their evidence") {
  constexpr std::size_t kStuck = 10;
  const auto children = start_idle(kStuck + 2);
  Host host({"/a-stuck", "/good"});
  *host.reader.free_pids = pids_of(children, kStuck, 2);
  host.add_group("/a-stuck", pids_of(children, 0, kStuck));
  host.add_group("/good", pids_of(children, kStuck, 2));
  auto snapshot = host.sample();
  host.expire_until_stuck(EvidencePool::kMaxStuckPerUnit);
  REQUIRE(test::eventually([&] {
    snapshot = host.sample();
    return is_read(unit(snapshot, "/good"));
  }));
  CHECK(host.pool.counts().stuck == EvidencePool::kMaxStuckPerUnit);
  CHECK_FALSE(collector(snapshot, "allocators").success);
  CHECK(collector(snapshot, "allocators").last_error == "some evidence could not be read in time");
  // Each of the others says why nothing is known of it, and none is taken for one that is still to come.
  CHECK(unit(snapshot, "/a-stuck").evidence_pending == 0);
  for (const auto& process : unit(snapshot, "/a-stuck").processes)
    CHECK(process.evidence.detail.find("memory lock") != std::string::npos);
}

TEST_CASE("sampler: when every reader is stuck the collector says so") {
  constexpr std::size_t kPerUnit = EvidencePool::kMaxStuckPerUnit;
  const auto children = start_idle(EvidencePool::kMaxThreads + 1);
  Host host({"/stuck/*", "/z"});
  for (std::size_t i = 0; i < EvidencePool::kMaxThreads / kPerUnit; ++i)
    host.add_group(fmt::format("/stuck/{}", i), pids_of(children, i * kPerUnit, kPerUnit));
  host.sample();
  host.expire_until_stuck(EvidencePool::kMaxThreads);
  host.add_group("/z", pids_of(children, EvidencePool::kMaxThreads, 1));
  auto snapshot = host.sample();
  CHECK_FALSE(collector(snapshot, "allocators").success);
  CHECK(collector(snapshot, "allocators").last_error ==
        "no allocator is read: all 32 readers wait for processes that hold their memory lock");
  *host.reader.release = true;
  REQUIRE(test::eventually([&] {
    host.pool.expire(Clock::now());
    snapshot = host.sample();
    return is_read(unit(snapshot, "/z"));
  }));
  CHECK_FALSE(host.pool.counts().exhausted);
}

TEST_CASE("sampler: a process that has gone is taken off the queue, one of two groups is read for both") {
  auto children = start_idle(3);
  Host host({"/a", "/b"});
  host.add_group("/a", pids_of(children, 0, 3));
  host.sample();
  CHECK(host.pool.counts().waiting == 3);
  const auto read_first = host.reader.reads->load();
  children[2].reset();
  host.add_group("/b", pids_of(children, 1, 1));
  host.sample();
  CHECK(host.pool.counts().waiting == 2);
  CHECK(read_first <= 1);
  *host.reader.release = true;
  snapshot::Snapshot snapshot;
  REQUIRE(test::eventually([&] {
    snapshot = host.sample();
    return is_read(unit(snapshot, "/a")) && is_read(unit(snapshot, "/b"));
  }));
  CHECK(*host.reader.reads == 2);
}
