// SPDX-License-Identifier: Apache-2.0
// Drift as the observer follows it: from snapshot to snapshot, over days in seconds, and over its own
// restarts.
#include "observer/drift_watch.hpp"

#include <poll.h>

#include <filesystem>
#include <set>

#include "drift/state_files.hpp"
#include "drift/state_text.hpp"
#include "host/message_id.hpp"
#include "journal_record.hpp"
#include "observer/role_sums.hpp"
#include "support/box.hpp"
#include "support/catch.hpp"
#include "support/child_program.hpp"
#include "support/drift_series.hpp"

using namespace allocd;
using drift::kDay;
using drift::kHour;
using observer::DriftWatch;
using test::kGiB;
using test::kMiB;
namespace id = host::message_id;

namespace {

constexpr double kBootedAt = 1.8e9;
constexpr double kPerHour = kMiB / 3600;
constexpr std::uint64_t kStartTicks = 50'000;  // 500 seconds after boot
constexpr double kStart = 500;
const std::string kUnit = "vllm.service";

snapshot::Process make_process(std::int32_t pid, engine::Role role, double memory,
                               std::uint64_t start_ticks = kStartTicks) {
  snapshot::Process process;
  process.pid = pid;
  process.start_ticks = start_ticks;
  process.role = role;
  process.memory.anonymous = static_cast<std::uint64_t>(memory / 4) * 3;
  process.memory.swap = static_cast<std::uint64_t>(memory) - process.memory.anonymous;
  process.memory.file = 9'000'000'000;  // comes and goes, and is no part of it
  process.memory.resident = process.memory.anonymous + process.memory.file;
  process.memory.peak_resident = process.memory.resident;
  return process;
}

snapshot::Unit make_unit(const std::string& name, double memory) {
  snapshot::Unit unit;
  unit.name = name;
  unit.up = true;
  unit.main_pid = 4711;
  unit.processes = {make_process(4711, engine::Role::api_server, 512 * kMiB),
                    make_process(4712, engine::Role::worker, memory - 512 * kMiB, kStartTicks + 300)};
  unit.roles = observer::sum_roles(unit.processes);
  unit.cgroup.state = snapshot::CgroupMemoryState::available;
  unit.cgroup.memory.emplace();
  unit.cgroup.memory->effective_max = {{static_cast<std::uint64_t>(16 * kGiB)}, "/system.slice"};
  return unit;
}

snapshot::Snapshot make_snapshot(std::vector<snapshot::Unit> units) {
  snapshot::Snapshot snapshot;
  snapshot.boot_id = "b007";
  snapshot.units = std::move(units);
  return snapshot;
}

// The observer's side of it: one watch after another over one directory.
class Rig {
 public:
  explicit Rig(std::string directory = "/box/drift") : directory_(std::move(directory)) { start(); }
  void start() {
    auto event = observer::SideEvent::make();
    REQUIRE(event);
    event_ = *event;
    watch_ = std::make_unique<DriftWatch>(box.root(), directory_, journal, event_);
  }
  void restart() {
    watch_->save_all();
    kill();
  }
  void kill() {
    watch_.reset();
    start();
  }
  snapshot::Snapshot follow(std::vector<snapshot::Unit> units, double since_boot, bool is_whole = true) {
    auto snapshot = make_snapshot(std::move(units));
    watch_->follow(snapshot, [&](const std::string&) { return is_whole; },
                   {kBootedAt + since_boot + clock_step, since_boot});
    return snapshot;
  }
  drift::Report follow_one(double memory, double since_boot) {
    return follow({make_unit(kUnit, memory)}, since_boot).units[0].drift;
  }
  // Until the side lane's job has ended.
  void settle() const {
    pollfd wanted{event_->fd(), POLLIN, 0};
    REQUIRE(::poll(&wanted, 1, 10'000) == 1);
  }
  void save_all() { watch_->save_all(); }
  // What is in the file of the one unit.
  [[nodiscard]] drift::UnitHistory kept() const {
    const auto text = box.root().read_file(directory_ + "/" + drift::state_name(kUnit));
    if (!text) return drift::UnitHistory(kUnit);
    auto parsed = drift::parse_state(*text, kUnit);
    REQUIRE(parsed);
    return std::move(*parsed);
  }

  test::Box box;
  test::JournalRecord journal;
  double clock_step = 0;

 private:
  std::string directory_;
  std::shared_ptr<observer::SideEvent> event_;
  std::unique_ptr<DriftWatch> watch_;
};

const snapshot::Collector* find_collector(const snapshot::Snapshot& snapshot) {
  const auto found = std::ranges::find(snapshot.collectors, "drift", &snapshot::Collector::name);
  return found == snapshot.collectors.end() ? nullptr : &*found;
}

std::vector<test::Point> leak(double days) {
  return test::make_series(
      {.daily = 500 * kMiB, .leak = 20 * kPerHour, .noise = 10 * kMiB, .warm_up = 300 * kMiB}, days * kDay,
      60);
}

}  // namespace

TEST_CASE("drift watch: fourteen days of a leak, allocd restarted each day, killed once, clock set twice") {
  Rig rig;
  Rig undisturbed("");
  drift::Report report;
  drift::Report expected;
  std::optional<double> said_at;
  double next_restart = 10 * kHour + 1234;
  for (const auto& point : leak(14)) {
    if (point.uptime > next_restart) {
      next_restart += 23 * kHour + 777;
      rig.restart();
    }
    if (point.uptime == 5 * kDay) rig.clock_step = -3 * 365 * kDay;
    if (point.uptime == 6 * kDay) rig.clock_step = 0;
    report = rig.follow_one(point.memory, kStart + point.uptime);
    expected = undisturbed.follow_one(point.memory, kStart + point.uptime);
    if (rig.clock_step == 0) REQUIRE(report == expected);
    if (report.slow && !said_at) said_at = point.uptime;
  }
  CHECK(said_at.value() == Approx(78 * kHour).margin(120));
  CHECK(report.state == drift::State::drift);
  CHECK(report.kind == drift::Kind::linear);
  CHECK(report.limit_kind == drift::LimitKind::cgroup);
  CHECK(report.limit.value() == Approx(16 * kGiB + *report.memory / 4).margin(kMiB));  // a quarter is swapped
  CHECK(report.slope.value() == Approx(20 * kPerHour).epsilon(0.1));
  CHECK(report.at_peak == 1.0);
  CHECK(report.life_started_at == Approx(kBootedAt + kStart));
  REQUIRE(report.roles.size() == 2);
  CHECK(report.roles[0].role == engine::Role::api_server);
  CHECK(report.roles[1].slope.value() == Approx(20 * kPerHour).epsilon(0.1));
  CHECK(rig.journal.messages.empty());
  CHECK(rig.box.names("drift") == std::vector{drift::state_name(kUnit)});
}

TEST_CASE("drift watch: killed, it goes on from the last hour that was written") {
  Rig rig;
  double uptime = 60;
  for (; uptime <= 50 * kHour; uptime += 60) (void)rig.follow_one(4 * kGiB, kStart + uptime);
  REQUIRE(test::eventually([&] {
    (void)rig.follow_one(4 * kGiB, kStart + (uptime += 0.1));
    return rig.kept().hours() == 50;
  }));
  for (; uptime < 50.4 * kHour; uptime += 60) (void)rig.follow_one(4 * kGiB, kStart + uptime);
  rig.kill();
  // The minutes since the hour was written are lost; the hour counts, for more than a third of it is seen.
  for (; uptime < 51.2 * kHour; uptime += 60) (void)rig.follow_one(4 * kGiB, kStart + uptime);
  const auto report = rig.follow_one(4 * kGiB, kStart + uptime);
  CHECK(report.window == 51 * kHour);
  CHECK(report.state == drift::State::normal);
  CHECK(report.lives.empty());
}

TEST_CASE(
    "drift watch: where not all processes can be read there is no sample, and the last verdict stands") {
  Rig rig("");
  for (double uptime = 60; uptime < 50 * kHour; uptime += 60) (void)rig.follow_one(4 * kGiB, kStart + uptime);
  const double now = kStart + 50 * kHour;
  const auto partly = [&](double at) {
    return rig.follow({make_unit(kUnit, kGiB)}, at, false).units[0].drift;
  };
  const auto report = partly(now + 10);
  CHECK(report.known);
  CHECK_FALSE(report.memory);
  CHECK(report.floor == 4 * kGiB);
  CHECK(report.state == drift::State::normal);
  CHECK(partly(now + 800).known);
  CHECK(partly(now + 1000) == drift::Report{});
  CHECK(rig.follow_one(4 * kGiB, now + 1010).floor == 4 * kGiB);
}

TEST_CASE("drift watch: a unit that is down has no drift, and its next start is another life") {
  Rig rig;
  for (double uptime = 60; uptime < 9 * kHour; uptime += 60) (void)rig.follow_one(4 * kGiB, kStart + uptime);
  snapshot::Unit down;
  down.name = kUnit;
  CHECK(rig.follow({down}, kStart + 9 * kHour).units[0].drift == drift::Report{});
  rig.restart();
  CHECK_FALSE(rig.follow({down}, kStart + 10 * kHour).units[0].drift.known);
  auto again = make_unit(kUnit, 2 * kGiB);
  again.main_pid = 5000;
  again.processes[0].pid = 5000;
  again.processes[0].start_ticks = static_cast<std::uint64_t>((kStart + 11 * kHour) * 100);
  const auto report = rig.follow({again}, kStart + 11 * kHour + 100).units[0].drift;
  CHECK(report.known);
  CHECK(report.window == 0);
  CHECK(report.life_started_at == Approx(kBootedAt + kStart + 11 * kHour));
  REQUIRE(report.lives.size() == 1);
  CHECK(report.lives[0].warm_floor == 4 * kGiB);
  CHECK(report.lives[0].ended_at == Approx(kBootedAt + kStart + 9 * kHour - 60));
}

TEST_CASE("drift watch: a reboot ends a life, though the same pid started in the same tick") {
  Rig rig;
  for (double uptime = 60; uptime < 9 * kHour; uptime += 60) (void)rig.follow_one(4 * kGiB, kStart + uptime);
  rig.restart();
  auto snapshot = make_snapshot({make_unit(kUnit, kGiB)});
  snapshot.boot_id = "another";
  auto event = observer::SideEvent::make();
  DriftWatch watch(rig.box.root(), "/box/drift", rig.journal, *event);
  watch.follow(snapshot, [](const std::string&) { return true; }, {kBootedAt + 1e6, kStart + 12 * kHour});
  CHECK(snapshot.units[0].drift.lives.size() == 1);
  CHECK(snapshot.units[0].drift.window == 0);
}

TEST_CASE("drift watch: a file that cannot be used is set aside with a word, and everything goes on") {
  Rig rig;
  for (double uptime = 60; uptime < 5 * kHour; uptime += 60) (void)rig.follow_one(4 * kGiB, kStart + uptime);
  rig.restart();
  const auto name = drift::state_name(kUnit);
  auto text = drift::render_state(drift::UnitHistory(kUnit));
  text.replace(text.find(":1,"), 3, ":9,");
  rig.box.write("drift/" + name, text);
  const auto shown = rig.follow({make_unit(kUnit, 4 * kGiB)}, kStart + 5 * kHour);
  CHECK(shown.units[0].drift.known);
  CHECK(shown.units[0].drift.window == 0);
  REQUIRE(rig.journal.count(id::kDriftStateAside) == 1);
  const auto& message = rig.journal.messages[0];
  CHECK(message.fields.at("ALLOCD_UNIT") == kUnit);
  CHECK(message.fields.at("ALLOCD_PATH") == "/box/drift/" + name + ".newer");
  CHECK(message.fields.at("ALLOCD_CAUSE").find("schema_version is 9") != std::string::npos);
  REQUIRE(find_collector(shown) != nullptr);
  CHECK(find_collector(shown)->errors == 1);
  CHECK(find_collector(shown)->success);
  rig.restart();
  rig.box.write("drift/" + name, "{\"schema_ver");
  (void)rig.follow_one(4 * kGiB, kStart + 5 * kHour + 60);
  CHECK(rig.journal.count(id::kDriftStateAside) == 2);
  // The unit's own file may be under way to its place.
  const auto names = rig.box.names("drift");
  CHECK(std::ranges::count(names, name + ".corrupt") == 1);
  CHECK(std::ranges::count(names, name + ".newer") == 1);
  rig.save_all();
  CHECK(rig.box.names("drift") == std::vector{name, name + ".corrupt", name + ".newer"});
}

TEST_CASE("drift watch: what cannot be written shows, is said once, and is tried again") {
  Rig rig("/box/state/drift");  // its parent is not there
  CHECK(rig.journal.count(id::kDriftNotKept) == 1);
  double uptime = 60;
  snapshot::Snapshot shown;
  const auto next = [&] {
    shown = rig.follow({make_unit(kUnit, 4 * kGiB)}, kStart + (uptime += 60));
    REQUIRE(shown.units[0].drift.known);
    REQUIRE(find_collector(shown) != nullptr);
    return *find_collector(shown);
  };
  REQUIRE(test::eventually([&] { return next().errors > 5; }));
  CHECK(rig.journal.count(id::kDriftNotKept) == 1);
  CHECK_FALSE(find_collector(shown)->success);
  CHECK(find_collector(shown)->last_error.find("/box/state") != std::string::npos);
  std::filesystem::create_directory(rig.box.at("state"));
  REQUIRE(test::eventually([&] { return next().success; }));
  CHECK(rig.box.names("state/drift").size() == 1);
  CHECK(rig.journal.messages.size() == 2);
}

TEST_CASE("drift watch: fifty units that started together are not written together") {
  Rig rig;
  std::vector<snapshot::Unit> units;
  for (int i = 0; i < 50; ++i) units.push_back(make_unit("unit" + std::to_string(i) + ".service", 4 * kGiB));
  for (double uptime = 10; uptime <= kHour - 10; uptime += 10) (void)rig.follow(units, kStart + uptime);
  CHECK(rig.box.names("drift").empty());
  for (std::size_t i = 1; i <= 50; ++i) {
    (void)rig.follow(units, kStart + kHour + static_cast<double>(i - 1) * 10);
    rig.settle();
    CHECK(rig.box.names("drift").size() == i);
  }
  (void)rig.follow(units, kStart + kHour + 600);
  for (int i = 0; i < 10; ++i) (void)rig.follow(units, kStart + kHour + 610 + i);
  CHECK(rig.box.names("drift").size() == 50);
}

TEST_CASE("drift watch: at the slowest pace, what is due is written all the same") {
  Rig rig;
  std::vector<snapshot::Unit> units;
  for (int i = 0; i < 50; ++i) units.push_back(make_unit("unit" + std::to_string(i) + ".service", 4 * kGiB));
  for (int i = 1; i <= 6; ++i) (void)rig.follow(units, kStart + i * 600);
  rig.settle();
  CHECK(rig.box.names("drift").size() == 50);
}

TEST_CASE("drift watch: a unit that has left is written once more, and comes back with what it had") {
  Rig rig;
  // Cleaning compares with the times of files, which are of today.
  rig.clock_step = static_cast<double>(std::time(nullptr)) - (kBootedAt + kStart);
  for (double uptime = 60; uptime < 2.5 * kHour; uptime += 60)
    (void)rig.follow_one(4 * kGiB, kStart + uptime);
  double now = kStart + 2.5 * kHour;
  REQUIRE(test::eventually([&] {
    (void)rig.follow({}, now += 1);
    return rig.kept().life().memory.last_uptime == 2.5 * kHour - 60;
  }));
  (void)rig.follow({}, kStart + 30 * kHour);  // forgotten, but for its file
  const auto report = rig.follow_one(4 * kGiB, kStart + 30 * kHour + 60);
  CHECK(report.warm_floor == std::nullopt);
  CHECK(report.lows.front() == 4 * kGiB);
}

TEST_CASE("drift watch: files of units that are long gone are removed once a day") {
  Rig rig;
  const auto gone = drift::state_name("gone.service");
  rig.box.write("drift/" + gone, "{}");
  std::filesystem::last_write_time(
      rig.box.at("drift/" + gone),
      std::filesystem::file_time_type::clock::now() - std::chrono::hours(31 * 24));
  const double written = static_cast<double>(std::time(nullptr)) - kBootedAt;
  rig.clock_step = written;
  (void)rig.follow({}, 100);
  (void)rig.follow({}, 3000);
  CHECK(rig.box.names("drift").size() == 1);
  (void)rig.follow({}, 4000);
  rig.settle();
  CHECK(rig.box.names("drift").empty());
}

TEST_CASE("drift watch: without a directory nothing is kept, and no collector tells of it") {
  Rig rig("");
  const auto shown = rig.follow({make_unit(kUnit, 4 * kGiB)}, kStart + 60);
  CHECK(shown.units[0].drift.known);
  CHECK(find_collector(shown) == nullptr);
  rig.restart();
  CHECK(rig.box.names().empty());
}
