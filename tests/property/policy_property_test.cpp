// SPDX-License-Identifier: Apache-2.0
// What holds for every unit and every set of processes.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

#include "policy/assess.hpp"
#include "support/catch.hpp"
#include "support/policy_cases.hpp"
#include "support/rounds.hpp"

namespace {

using namespace allocd;
using namespace allocd::policy;
using settings::Wanted;

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  bool flag() { return below(2) == 1; }
  std::size_t below(std::size_t limit) { return random_() % limit; }

  UnitSetting unit() {
    UnitSetting unit;
    unit.source = below(8) == 0 ? settings::SelectorKind::cgroup : settings::SelectorKind::unit;
    unit.bus_available = below(8) != 0;
    unit.load_state = pick({"loaded", "loaded", "not-found", "masked", "error"});
    unit.need_daemon_reload = below(4) == 0;
    unit.loaded_at = flag() ? 1000 : 0;
    unit.environment = {
        pick({"A=1", "LD_PRELOAD=libjemalloc.so.2", "LD_PRELOAD=libtcmalloc.so.4:libjemalloc.so.2",
              "LD_PRELOAD=libiomp5.so", "LD_PRELOAD="})};
    unit.has_environment_files = flag();
    if (below(4) == 0) unit.unset_environment = {"LD_PRELOAD"};
    unit.drop_in_present = flag();
    unit.drop_in_loaded = flag();
    unit.is_tampered = unit.drop_in_present && below(4) == 0;
    if (below(6) == 0) unit.rolled_back = "it failed";
    unit.reverted_by_hand = flag();
    unit.starts_script = flag();
    unit.main_has_wanted = flag();
    if (flag()) unit.files = files(unit.environment.front());
    unit.drop_in_path = test::kDropIn;
    if (below(3) == 0) unit.wanted_variables = {{"MALLOC_CONF", pick({"", "narenas:2"})}};
    unit.start = std::array{KnownStart::unknown, KnownStart::before, KnownStart::after}.at(below(3));
    if (flag()) unit.environment.emplace_back("MALLOC_CONF=narenas:2");
    unit.exec_start = {{pick({"/usr/bin/vllm", "/usr/bin/vllm", "/usr/bin/vllm", "/usr/bin/docker"}), "run"}};
    return unit;
  }

  // Often what systemd has loaded, with more behind it.
  PreloadSources files(const std::string& loaded) {
    using unitfile::Origin;
    PreloadSources files;
    auto& all = files.variable.contributions;
    if (loaded.starts_with("LD_PRELOAD=") && below(4) != 0)
      all.push_back(test::says(Origin::environment, test::kUnitFile, loaded.substr(11)));
    for (auto count = below(3); count > 0; --count) {
      const auto origin = unitfile::kOriginNames.values()[below(unitfile::kOriginNames.names.size())];
      all.push_back(test::says(origin, pick({"", test::kDropIn, "/etc/default/vllm"}),
                               pick({"", "libjemalloc.so.2", "libtcmalloc.so.4"})));
    }
    if (!all.empty()) all[below(all.size())].wins = true;
    if (flag()) files.unread = {"/etc/secret"};
    if (flag()) {
      const auto origin = unitfile::kOriginNames.values()[below(unitfile::kOriginNames.names.size())];
      files.others["MALLOC_CONF"] = {
          "", true, {test::says(origin, pick({"", test::kDropIn}), pick({"", "narenas:2"}), flag())}};
    }
    return files;
  }

  ProcessFacts process() {
    ProcessFacts process;
    process.pid = static_cast<std::int32_t>(below(50));
    process.role = engine::kRoleNames.values()[below(engine::kRoleNames.names.size())];
    process.started_at = flag() ? 400 : 2000;
    process.permitted = below(8) != 0;
    process.is_main = flag();
    process.active_path = pick({"", "/lib/libtcmalloc.so.4", "/lib/libjemalloc.so.2", "/usr/bin/vllm"});
    if (below(4) != 0)
      process.active = allocator::kKindNames.values()[below(allocator::kKindNames.names.size())];
    process.rung = allocator::kRungNames.values()[below(allocator::kRungNames.names.size())];
    process.is_static = below(6) == 0;
    process.wanted_is_mapped_idle = flag();
    return process;
  }

  // Often nearly all in order, so that compliant units come up.
  std::vector<ProcessFacts> processes() {
    std::vector<ProcessFacts> all(below(5));
    const bool mostly_right = flag();
    for (auto& one : all) one = mostly_right && below(6) != 0 ? test::right_process() : process();
    return all;
  }

  Wanted wanted() { return settings::kWantedNames.values()[below(settings::kWantedNames.names.size())]; }

  void shuffle(std::vector<ProcessFacts>& processes) { std::ranges::shuffle(processes, random_); }

 private:
  const char* pick(std::initializer_list<const char*> words) {
    return *(words.begin() + below(words.size()));
  }
  std::mt19937 random_;
};

bool every_link_holds(const Assessment& assessment) {
  return std::ranges::all_of(assessment.chain, [](const Link& link) {
    return link.verdict == Verdict::holds || link.verdict == Verdict::not_applicable;
  });
}

constexpr unsigned kSeed = 20250117;
constexpr int kRounds = test::rounds(20'000);

}  // namespace

TEST_CASE("compliant if and only if every link holds or does not apply", "[policy][property]") {
  Maker make(kSeed);
  int compliant = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto assessment = assess_unit(make.wanted(), make.unit(), make.processes());
    INFO("seed " << kSeed << " round " << round);
    REQUIRE((assessment.state == State::compliant) == every_link_holds(assessment));
    REQUIRE((assessment.reason == Reason::none) == (assessment.state == State::compliant));
    compliant += assessment.state == State::compliant ? 1 : 0;
  }
  CHECK(compliant > kRounds / 50);
}

TEST_CASE("the order of processes does not matter", "[policy][property]") {
  Maker make(kSeed + 1);
  for (int round = 0; round < kRounds; ++round) {
    const auto wanted = make.wanted();
    const auto unit = make.unit();
    auto processes = make.processes();
    // A pid is there once.
    for (std::size_t i = 0; i < processes.size(); ++i) processes[i].pid = static_cast<std::int32_t>(100 - i);
    const auto before = assess_unit(wanted, unit, processes);
    make.shuffle(processes);
    INFO("seed " << kSeed + 1 << " round " << round);
    REQUIRE(assess_unit(wanted, unit, processes) == before);
  }
}

TEST_CASE("one more process that is not compliant never makes a unit compliant", "[policy][property]") {
  Maker make(kSeed + 2);
  for (int round = 0; round < kRounds; ++round) {
    const auto wanted = make.wanted();
    const auto unit = make.unit();
    auto processes = make.processes();
    const auto before = assess_unit(wanted, unit, processes);
    const auto added = make.process();
    if (assess_process(wanted, unit, added).first == State::compliant) continue;
    processes.push_back(added);
    INFO("seed " << kSeed + 2 << " round " << round);
    REQUIRE(
        (before.state == State::compliant || assess_unit(wanted, unit, processes).state != State::compliant));
  }
}

TEST_CASE("a wrong process keeps its unit from being compliant", "[policy][property]") {
  Maker make(kSeed + 3);
  for (int round = 0; round < kRounds; ++round) {
    const auto wanted = make.wanted();
    const auto unit = make.unit();
    const auto processes = make.processes();
    const auto assessment = assess_unit(wanted, unit, processes);
    INFO("seed " << kSeed + 3 << " round " << round);
    for (const auto& process : processes) {
      const auto state = assess_process(wanted, unit, process).first;
      if (state == State::compliant || state == State::exempt || state == State::unknown) continue;
      REQUIRE(assessment.state != State::compliant);
      REQUIRE(assessment.state != State::unknown);
    }
  }
}
