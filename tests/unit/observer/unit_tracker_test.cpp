// SPDX-License-Identifier: Apache-2.0
// A cgroup of plain files that lists living processes: membership is made up, the processes are real.
#include "observer/unit_tracker.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "observer/read_process.hpp"
#include "support/catch.hpp"
#include "support/child_program.hpp"
#include "support/fresh_memory.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using observer::Clock;
using observer::UnitTracker;
using test::ChildProgram;

namespace {

class Group {
 public:
  Group() {
    set({});
    auto opened = host::Root::open(directory_.path().string());
    REQUIRE(opened);
    root_ = std::make_unique<host::Root>(std::move(*opened));
    proc_ = base::UniqueFd(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  void set(const std::vector<pid_t>& pids) const {
    std::string text;
    for (const pid_t pid : pids) text += std::to_string(pid) + "\n";
    directory_.write("cg/unit/cgroup.procs", text);
  }
  observer::UnitSample sample(std::size_t max = 100) {
    return tracker.sample(kernel::CgroupTree(*root_, "/cg"), "/unit", proc_.get(), ++number_, max,
                          Clock::now());
  }
  UnitTracker tracker;

 private:
  test::TemporaryDirectory directory_;
  std::unique_ptr<host::Root> root_;
  base::UniqueFd proc_;
  std::uint64_t number_ = 0;
};

void settle(const ChildProgram& child, const std::string& comm) {
  REQUIRE(test::eventually([&] {
    const auto text = host::read_file_at(child.directory(), "comm");
    return text && *text == comm + "\n";
  }));
}

}  // namespace

TEST_CASE("tracker: processes come, stay and go") {
  Group group;
  const ChildProgram first({"/bin/sleep", "100"}, {});
  auto second = std::make_unique<ChildProgram>(std::vector<std::string>{"/bin/sleep", "100"},
                                               std::vector<std::string>{});
  settle(first, "sleep");
  settle(*second, "sleep");
  group.set({first.pid(), second->pid()});
  auto sample = group.sample();
  CHECK(sample.listed);
  REQUIRE(group.tracker.processes().size() == 2);
  const auto& process = group.tracker.processes().at(first.pid());
  CHECK(process.comm() == "sleep");
  CHECK(process.status().resident > 0);
  CHECK(process.id().start_ticks > 0);
  const auto id = process.id();
  second.reset();
  sample = group.sample();
  CHECK(group.tracker.processes().size() == 1);
  CHECK(group.tracker.find(id) != nullptr);
  CHECK(group.tracker.find({id.pid, id.start_ticks + 1}) == nullptr);
  CHECK(group.tracker.seen() == 2);
  CHECK(group.tracker.vanished() == 1);
}

TEST_CASE("tracker: where a process may run is read at first, and again with its evidence") {
  Group group;
  const ChildProgram child({"/bin/sleep", "100"}, {});
  settle(child, "sleep");
  group.set({child.pid()});
  group.sample();
  auto& process = group.tracker.processes().at(child.pid());
  CHECK_FALSE(process.placement().cpus_allowed.empty());
  CHECK_FALSE(process.placement().mems_allowed.empty());
  cpu_set_t set;
  REQUIRE(::sched_getaffinity(child.pid(), sizeof(set), &set) == 0);
  std::size_t last = 0;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) last = CPU_ISSET(cpu, &set) ? cpu : last;
  CPU_ZERO(&set);
  CPU_SET(last, &set);
  REQUIRE(::sched_setaffinity(child.pid(), sizeof(set), &set) == 0);
  process.schedule_next(observer::Want::evidence, Clock::now(), {});
  group.sample();
  CHECK(process.placement().cpus_allowed == std::to_string(last));
}

TEST_CASE("tracker: another program in the same process is identified anew, and its role with it") {
  Group group;
  const ChildProgram child({"/bin/sh", "-c", "read line < /dev/zero & wait; exec sleep 100"}, {});
  settle(child, "sh");
  group.set({child.pid()});
  group.sample();
  auto& process = group.tracker.processes().at(child.pid());
  const auto now = Clock::now();
  REQUIRE(process.due(now) == observer::Want::evidence);
  process.schedule_next(observer::Want::evidence, now, {});
  REQUIRE_FALSE(process.due(now));
  const auto read = observer::make_process_reader();
  const auto learn_title = [&](observer::TrackedProcess& tracked) {
    const auto reading = read({child.pid(), child.directory()}, observer::Want::title, [] { return true; });
    REQUIRE(reading.command_line);
    tracked.take_title(*reading.command_line);
  };
  learn_title(process);
  CHECK(process.role().role == engine::Role::starting);
  // The shell's background child holds it: end that, and the shell execs.
  REQUIRE(test::eventually([&] {
    const auto children =
        host::read_file_at(child.directory(), ("task/" + std::to_string(child.pid()) + "/children").c_str());
    if (!children || children->empty()) return false;
    ::kill(static_cast<pid_t>(std::stol(*children)), SIGKILL);
    return true;
  }));
  settle(child, "sleep");
  group.sample();
  auto& after = group.tracker.processes().at(child.pid());
  CHECK(after.due(Clock::now()) == observer::Want::evidence);
  learn_title(after);
  CHECK(after.role().role == engine::Role::other);
  after.schedule_next(observer::Want::evidence, now, {});
  CHECK(after.next_due() == now + std::chrono::seconds(2));
}

TEST_CASE("tracker: what a read met on its way takes nothing away from what is known") {
  using allocator::Outcome;
  Group group;
  const ChildProgram child({"/bin/sleep", "100"}, {});
  settle(child, "sleep");
  group.set({child.pid()});
  group.sample();
  auto& process = group.tracker.processes().at(child.pid());
  const auto read = observer::make_process_reader();
  allocator::Identification proved;
  // Its dynamic linker may be at work yet.
  REQUIRE(test::eventually([&] {
    proved = *read(process.handle(), observer::Want::evidence, [] { return true; }).identification;
    return proved.outcome == Outcome::ok;
  }));
  allocator::Identification other;
  SECTION("nothing is known: an exec or an exit is waited out, the others are told") {
    const auto outcome = GENERATE(Outcome::changed, Outcome::gone);
    other.outcome = outcome;
    CHECK_FALSE(process.take(other));
    CHECK_FALSE(process.identification());
  }
  SECTION("a dynamic linker that has not finished is known as that, until it has") {
    other.outcome = Outcome::early;
    other.image = proved.image;
    CHECK(process.take(other));
    CHECK(process.identification()->outcome == Outcome::early);
    CHECK(process.take(proved));
    CHECK(process.identification()->outcome == Outcome::ok);
  }
  SECTION("one of a program that it has been is not believed") {
    other = proved;
    other.outcome = GENERATE(Outcome::early, Outcome::ok);
    ++other.image.start_stack;
    CHECK_FALSE(process.take(other));
    CHECK_FALSE(process.identification());
  }
  SECTION("what was proved stays proved") {
    REQUIRE(process.take(proved));
    other.outcome =
        GENERATE(Outcome::changed, Outcome::gone, Outcome::not_permitted, Outcome::given_up, Outcome::failed);
    CHECK_FALSE(process.take(other));
    CHECK(process.identification()->outcome == Outcome::ok);
    CHECK(process.identification()->evidence == proved.evidence);
  }
}

TEST_CASE("tracker: a command line that says nothing yet is asked for ever more rarely, a new name at once") {
  Group group;
  group.set({::getpid()});
  group.sample();
  auto& process = group.tracker.processes().at(::getpid());
  using std::chrono::seconds;
  settings::Observe pace;
  pace.interval = seconds(10);
  pace.recheck_interval = seconds(60);
  auto now = Clock::now();
  process.schedule_next(observer::Want::evidence, now + std::chrono::hours(1), pace);
  process.take_title(std::string("/bin/sh\0-c\0x", 12));
  REQUIRE(process.role().role == engine::Role::starting);
  std::vector<seconds> waits;
  for (int i = 0; i < 4; ++i) {
    process.schedule_next(observer::Want::title, now, pace);
    CHECK_FALSE(process.due(now));
    waits.push_back(std::chrono::duration_cast<seconds>(process.next_due() - now));
    now = process.next_due();
    CHECK(process.due(now) == observer::Want::title);
  }
  CHECK(waits == std::vector<seconds>{seconds(20), seconds(40), seconds(60), seconds(60)});

  process.schedule_next(observer::Want::title, now, pace);
  std::array<char, 16> name{};
  REQUIRE(::prctl(PR_GET_NAME, name.data()) == 0);
  REQUIRE(::prctl(PR_SET_NAME, "VLLM::Worker") == 0);
  group.sample();
  ::prctl(PR_SET_NAME, name.data());
  CHECK(process.due(Clock::now()) == observer::Want::title);
  process.take_title("VLLM::Worker_TP0");
  CHECK(process.role().role == engine::Role::worker);
  CHECK(process.next_due() > now);  // evidence alone
}

TEST_CASE("tracker: a process whose first thread has ended lives on in the others") {
  Group group;
  const ChildProgram child({"/usr/bin/python3", "-c",
                            "import ctypes, threading, time\n"
                            "threading.Thread(target=time.sleep, args=(100,)).start()\n"
                            "ctypes.CDLL(None).pthread_exit(None)\n"},
                           {});
  group.set({child.pid()});
  const auto state = [&] {
    const auto text = host::read_file_at(child.directory(), "stat");
    const auto stat = text ? kernel::parse_process_stat(*text) : std::nullopt;
    return stat ? stat->state : '?';
  };
  const bool is_late = GENERATE(false, true);
  // Seen before its first thread ends, or only after.
  if (!is_late) group.sample();
  REQUIRE(test::eventually([&] { return state() == 'Z'; }));
  group.sample();
  REQUIRE(group.tracker.processes().contains(child.pid()));
  auto& process = group.tracker.processes().at(child.pid());
  CHECK(process.status().resident > 0);
  CHECK(process.handle().pid != child.pid());
  const auto read = observer::make_process_reader();
  const auto reading = read(process.handle(), observer::Want::evidence, [] { return true; });
  REQUIRE(reading.identification);
  CHECK(reading.identification->evidence.active == allocator::Kind::glibc);
  CHECK(process.take(*reading.identification));
  REQUIRE(reading.command_line);
  CHECK(reading.command_line->starts_with("/usr/bin/python3"));
  ::kill(child.pid(), SIGKILL);
  REQUIRE(test::eventually([&] {
    group.sample();
    return group.tracker.processes().empty();
  }));
}

TEST_CASE("tracker: memory that came since the last sample is in the next one") {
  Group group;
  group.set({::getpid()});
  group.sample();
  const auto& process = group.tracker.processes().at(::getpid());
  // A host that is short of memory may push some of it out meanwhile.
  const auto held = [&process] { return process.status().anonymous + process.status().swap; };
  const auto before = held();
  constexpr std::size_t kSize = std::size_t{16} << 20U;
  // Not from malloc: what an earlier test has freed may be resident still, and taken again.
  const test::FreshMemory block(kSize);
  group.sample();
  CHECK(held() >= before + kSize / 2);
}

TEST_CASE("tracker: what stat does not tell of is seen a few samples later") {
  Group group;
  group.set({::getpid()});
  group.sample();
  const auto& process = group.tracker.processes().at(::getpid());
  std::array<char, 8192> block{};
  // By system call: the sanitizers make mlock(3) do nothing.
  REQUIRE(::syscall(SYS_mlock, block.data(), block.size()) == 0);
  for (int i = 0; i < 7; ++i) group.sample();
  CHECK(process.status().locked > 0);
  ::syscall(SYS_munlock, block.data(), block.size());
}

TEST_CASE("tracker: evidence of a former image is refused, and proof outlives a failed read") {
  Group group;
  const ChildProgram child({"/bin/sleep", "100"}, {});
  settle(child, "sleep");
  group.set({child.pid()});
  group.sample();
  auto& process = group.tracker.processes().at(child.pid());
  allocator::FingerprintCache cache;
  allocator::Identification found;
  REQUIRE(test::eventually([&] {
    found = allocator::identify({child.pid(), child.directory()}, cache, [] { return true; });
    return found.outcome == allocator::Outcome::ok;
  }));
  auto stale = found;
  stale.image.start_stack += 4096;
  CHECK_FALSE(process.take(stale));
  CHECK_FALSE(process.identification());
  CHECK(process.take(found));
  CHECK_FALSE(process.take(found));
  allocator::Identification late;
  late.outcome = allocator::Outcome::given_up;
  CHECK_FALSE(process.take(late));
  CHECK(process.identification()->outcome == allocator::Outcome::ok);
}

TEST_CASE("tracker: no more than the limit is read, the rest is counted") {
  Group group;
  const ChildProgram a({"/bin/sleep", "100"}, {});
  const ChildProgram b({"/bin/sleep", "100"}, {});
  const ChildProgram c({"/bin/sleep", "100"}, {});
  group.set({a.pid(), b.pid(), c.pid()});
  const auto sample = group.sample(2);
  CHECK(sample.dropped == 1);
  CHECK(group.tracker.processes().size() == 2);
}

TEST_CASE("tracker: pids that lead nowhere are no error") {
  Group group;
  group.set({1 << 22, (1 << 22) + 1});
  const auto sample = group.sample();
  CHECK(sample.listed);
  CHECK(sample.permission_errors == 0);
  CHECK(sample.read_errors == 0);
  CHECK(group.tracker.processes().empty());
}
