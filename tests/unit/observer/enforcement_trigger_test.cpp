// SPDX-License-Identifier: Apache-2.0
// Which samples give a reason to run the enforcer, and how often it is asked.
#include "observer/enforcement_trigger.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace allocd;
using namespace std::chrono_literals;
using observer::Cause;
using observer::EnforcementTrigger;
using observer::Wish;
using policy::DropInPhase;
using policy::DropInState;
using policy::State;
using policy::Verdict;

namespace {

settings::Settings settings_with(settings::RestartWhen restart = settings::RestartWhen::never) {
  settings::Service service;
  service.name = "vllm";
  service.selectors = {{settings::SelectorKind::unit, "vllm.service", {}}};
  service.allocator = settings::Wanted::jemalloc;
  service.restart = restart;
  settings::Settings settings;
  settings.services.push_back(service);
  return settings;
}

// In enforcement, applied, settled and compliant.
snapshot::Unit good_unit() {
  snapshot::Unit unit;
  unit.name = "vllm.service";
  unit.load_state = "loaded";
  unit.active_state = "active";
  unit.invocation_id = "one";
  unit.wanted = settings::Wanted::jemalloc;
  unit.mode = settings::Mode::enforce;
  unit.assessment.state = State::compliant;
  unit.assessment.chain.fill({Verdict::holds, "yes"});
  unit.drop_in = {"/x.d/zz-allocd.conf", DropInState::intact, true, 900, DropInPhase::settled, false};
  return unit;
}

std::vector<Cause> causes(const std::function<void(snapshot::Unit&)>& change,
                          const settings::Settings& settings = settings_with(),
                          std::chrono::system_clock::time_point now = {},
                          const observer::Grounds& grounds = {}) {
  snapshot::Snapshot sample;
  sample.units = {good_unit()};
  change(sample.units.front());
  std::vector<Cause> found;
  for (const auto& wish : observer::list_wishes(sample, settings, {{"vllm.service", grounds}}, now))
    found.push_back(wish.cause);
  return found;
}

void break_link(snapshot::Unit& unit, std::size_t link, State state = State::not_applied) {
  unit.assessment.state = state;
  unit.assessment.chain.at(link).verdict = Verdict::fails;
}

using Causes = std::vector<Cause>;

}  // namespace

TEST_CASE("what is in order gives no reason", "[trigger]") {
  CHECK(causes([](auto&) {}).empty());
}

TEST_CASE("drift: an enforced policy that is not on disk or not loaded", "[trigger]") {
  const Causes drift{Cause::drift};
  CHECK(causes([](auto& unit) { break_link(unit, 1); }) == drift);
  CHECK(causes([](auto& unit) { break_link(unit, 2); }) == drift);
  CHECK(causes([](auto& unit) { break_link(unit, 2, State::violation); }) == drift);
  CHECK(causes([](auto& unit) { break_link(unit, 1, State::inactive); }) == drift);
  // Deleted, while everything still runs as it should.
  CHECK(causes([](auto& unit) { unit.drop_in.state = DropInState::absent; }) == drift);
  // Never written, and not needed.
  CHECK(causes([](auto& unit) {
          unit.drop_in.state = DropInState::absent;
          unit.drop_in.applied_at = 0;
        }).empty());
}

TEST_CASE("drift that is not the enforcer's to mend", "[trigger]") {
  for (const auto state : {DropInState::tampered, DropInState::foreign, DropInState::unreadable}) {
    CHECK(causes([&](auto& unit) {
            break_link(unit, 1);
            unit.drop_in.state = state;
          }).empty());
  }
  for (const auto state : {State::rolled_back, State::not_enforceable, State::unknown, State::exempt})
    CHECK(causes([&](auto& unit) { break_link(unit, 1, state); }).empty());
  CHECK(causes([](auto& unit) {
          break_link(unit, 1);
          unit.mode = settings::Mode::observe;
        }).empty());
  CHECK(causes([](auto& unit) {
          break_link(unit, 1, State::inactive);
          unit.load_state = "not-found";
        }).empty());
  CHECK(causes([](auto& unit) { break_link(unit, 4, State::violation); }).empty());
}

TEST_CASE("latch: what was taken back is tried again when the policy or the library is another",
          "[trigger]") {
  const auto latched = [](auto& unit) {
    break_link(unit, 1, State::rolled_back);
    unit.drop_in.state = DropInState::absent;
    unit.drop_in.phase = DropInPhase::rolled_back;
  };
  const auto with = [&](const observer::Grounds& grounds) {
    return causes(latched, settings_with(), {}, grounds);
  };
  CHECK(with({"", "new", "old"}) == Causes{Cause::latch});
  CHECK(with({"", "old", "old"}).empty());
  CHECK(with({"", "", "old"}).empty());  // the library cannot be read
  CHECK(with({"", "new", ""}).empty());  // nothing says what it was
  const observer::Grounds opened{"", "new", "old"};
  CHECK(causes([&](auto& unit) { latched(unit), unit.mode = settings::Mode::observe; }, settings_with(), {},
               opened)
            .empty());
  CHECK(causes([&](auto& unit) { latched(unit), unit.load_state = "not-found"; }, settings_with(), {}, opened)
            .empty());
  CHECK(causes([](auto&) {}, settings_with(), {}, opened).empty());
}

TEST_CASE("facts of drift change with the configuration, the unit's files and the library", "[trigger]") {
  snapshot::Snapshot sample;
  sample.units = {good_unit()};
  break_link(sample.units[0], 1);
  const observer::Grounds grounds{"files", "policy", ""};
  const auto facts = [&](const observer::Grounds& with) {
    const auto wishes = observer::list_wishes(sample, settings_with(), {{"vllm.service", with}}, {});
    REQUIRE(wishes.size() == 1);
    return wishes[0].facts;
  };
  const auto before = facts(grounds);
  CHECK(facts(grounds) == before);
  CHECK(facts({"other", "policy", ""}) != before);
  CHECK(facts({"files", "other", ""}) != before);
  sample.units[0].environment.doubts = {"/etc/vllm.env cannot be read"};
  CHECK(facts(grounds) != before);
  sample.units[0].environment.doubts.clear();
  sample.config.last_success_at = 5;
  CHECK(facts(grounds) != before);
}

TEST_CASE("only a look at all that is enforced, without a failure, counts as one", "[trigger]") {
  snapshot::Snapshot sample;
  sample.units = {good_unit()};
  break_link(sample.units[0], 1);
  sample.enforcer = {
      .known = true, .last_run_at = 77, .last_run_verb = "reconcile", .last_run_success = true};
  const auto looked_at = [&] {
    const auto wishes = observer::list_wishes(sample, settings_with(), {}, {});
    REQUIRE(wishes.size() == 1);
    return wishes[0].looked_at;
  };
  CHECK(looked_at() == 77);
  sample.enforcer.last_run_success = false;
  CHECK(looked_at() == 0);
  sample.enforcer.last_run_success = true;
  sample.enforcer.last_run_verb = "apply";
  CHECK(looked_at() == 0);
}

TEST_CASE("fuse: a unit that started under its drop-in, or is settling", "[trigger]") {
  const auto in = [](DropInPhase phase, bool restarted) {
    return causes([&](auto& unit) {
      unit.drop_in.phase = phase;
      unit.drop_in.restarted = restarted;
      unit.mode = settings::Mode::observe;  // one applied by hand is looked after too
    });
  };
  CHECK(in(DropInPhase::waiting, true) == Causes{Cause::fuse});
  CHECK(in(DropInPhase::waiting, false).empty());
  CHECK(in(DropInPhase::settling, false) == Causes{Cause::fuse});
  CHECK(in(DropInPhase::settled, false).empty());
  CHECK(in(DropInPhase::none, false).empty());
  CHECK(in(DropInPhase::rolled_back, false).empty());
}

TEST_CASE("restart: one is due, and the policy allows it now", "[trigger]") {
  using settings::RestartWhen;
  const auto due = [](auto& unit) {
    break_link(unit, 3, State::pending_restart);
    unit.drop_in.phase = DropInPhase::waiting;
  };
  CHECK(causes(due).empty());
  CHECK(causes(due, settings_with(RestartWhen::now)) == Causes{Cause::restart});
  auto window = settings_with(RestartWhen::window);
  window.services[0].windows = {*settings::parse_window("Sat 02:00..05:00 UTC")};
  const std::chrono::system_clock::time_point saturday{std::chrono::seconds{1'760'151'600}};  // 03:00 UTC
  CHECK(causes(due, window, saturday) == Causes{Cause::restart});
  CHECK(causes(due, window, saturday + 3h).empty());
  // Its own files brought it, not ours: nobody restarts it.
  CHECK(causes(
            [&](auto& unit) {
              due(unit);
              unit.drop_in.phase = DropInPhase::none;
            },
            settings_with(RestartWhen::now))
            .empty());
}

TEST_CASE("a configuration counts where enforcing is or was part of it", "[trigger]") {
  snapshot::Snapshot sample;
  auto settings = settings_with();
  CHECK(observer::list_wishes(sample, settings, {}, {}).empty());
  settings.mode = settings::Mode::enforce;
  REQUIRE(observer::list_wishes(sample, settings, {}, {}).size() == 1);
  CHECK(observer::list_wishes(sample, settings, {}, {})[0].cause == Cause::configuration);
  sample.enforcer.applied_total = 1;
  CHECK(observer::list_wishes(sample, settings_with(), {}, {}).size() == 1);
}

TEST_CASE("facts of drift do not change with a restart loop; those of the fuse do", "[trigger]") {
  snapshot::Snapshot sample;
  sample.units = {good_unit()};
  auto& unit = sample.units[0];
  break_link(unit, 1);
  unit.drop_in.phase = DropInPhase::settling;
  const auto before = observer::list_wishes(sample, settings_with(), {}, {});
  unit.restarts = 9;
  unit.active_state = "activating";
  unit.invocation_id = "two";
  const auto after = observer::list_wishes(sample, settings_with(), {}, {});
  REQUIRE(before.size() == 2);
  REQUIRE(after.size() == 2);
  CHECK(before[0] == after[0]);
  CHECK(before[1].facts != after[1].facts);
  unit.drop_in.state = DropInState::absent;
  CHECK(observer::list_wishes(sample, settings_with(), {}, {})[0].facts != before[0].facts);
}

namespace {

class Clockwork {
 public:
  // When, in seconds, the enforcer was asked, over `span` with a look at each wake-up and every 10 s.
  std::vector<long> run(const std::vector<Wish>& wishes, std::chrono::seconds span) {
    std::vector<long> asked;
    const auto end = now_ + span;
    while (now_ < end) {
      if (trigger_.decide(wishes, now_)) asked.push_back((now_.time_since_epoch() / 1s) - kStart);
      auto next = now_ + 10s;
      if (const auto due = trigger_.next()) next = std::min(next, std::max(*due, now_ + 1s));
      now_ = next;
    }
    return asked;
  }
  EnforcementTrigger& trigger() { return trigger_; }
  static constexpr long kStart = 1000;

 private:
  EnforcementTrigger trigger_;
  EnforcementTrigger::Time now_{std::chrono::seconds(kStart)};
};

}  // namespace

TEST_CASE("a wish that stays comes back, ever more rarely", "[trigger]") {
  Clockwork clock;
  const auto asked = clock.run({{"a", Cause::drift, "x"}}, 1200s);
  CHECK(asked == std::vector<long>{0, 2, 6, 14, 30, 62, 126, 254, 510, 810, 1110});
}

TEST_CASE("a wish whose facts change is a new one, but never sooner than after two seconds", "[trigger]") {
  Clockwork clock;
  CHECK(clock.run({{"a", Cause::drift, "x"}}, 100s).size() == 6);
  // A hundred seconds in, in the middle of a long wait.
  CHECK(clock.run({{"a", Cause::drift, "y"}}, 5s) == std::vector<long>{102, 104});
  EnforcementTrigger trigger;
  const EnforcementTrigger::Time start{1000s};
  CHECK(trigger.decide({{"a", Cause::fuse, "1"}}, start));
  CHECK_FALSE(trigger.decide({{"a", Cause::fuse, "2"}}, start + 1s));
  CHECK(trigger.next() == start + 2s);
  CHECK(trigger.decide({{"a", Cause::fuse, "2"}}, start + 2s));
}

TEST_CASE("no wish, no call, and no timer", "[trigger]") {
  EnforcementTrigger trigger;
  const EnforcementTrigger::Time start{1000s};
  CHECK_FALSE(trigger.decide({}, start));
  CHECK_FALSE(trigger.next());
  CHECK(trigger.decide({{"a", Cause::drift, "x"}}, start));
  CHECK_FALSE(trigger.decide({}, start + 60s));
  CHECK_FALSE(trigger.next());
}

TEST_CASE("a wish that comes and goes keeps its patience", "[trigger]") {
  EnforcementTrigger trigger;
  EnforcementTrigger::Time now{1000s};
  int asked = 0;
  for (int i = 0; i < 150; ++i, now += 2s) {
    const bool there = i % 2 == 0;
    if (trigger.decide(there ? std::vector<Wish>{{"a", Cause::drift, "x"}} : std::vector<Wish>{}, now))
      ++asked;
  }
  CHECK(asked <= 9);  // in five minutes, not 75
  now += 16min;
  CHECK_FALSE(trigger.decide({}, now));
  CHECK(trigger.decide({{"a", Cause::drift, "x"}}, now));
}

TEST_CASE("a configuration is handed over once", "[trigger]") {
  Clockwork clock;
  CHECK(clock.run({{"", Cause::configuration, "1"}}, 600s) == std::vector<long>{0});
  CHECK(clock.run({{"", Cause::configuration, "2"}}, 600s).size() == 1);
}

TEST_CASE("what the enforcer looked at and left comes back once an hour in the end", "[trigger]") {
  Clockwork clock;
  Wish wish{"a", Cause::drift, "x", 100};
  CHECK(clock.run({wish}, 1s) == std::vector<long>{0});
  wish.looked_at = 101;
  CHECK(clock.run({wish}, 20'000s) == std::vector<long>{2, 302, 902, 2102, 4502, 8102, 11702, 15302, 18902});
  // Somebody has changed something: it begins anew, and what was seen before that does not count.
  wish.facts = "y";
  CHECK(clock.run({wish}, 100s) == std::vector<long>{20002, 20004, 20008, 20016, 20032, 20064});
}

TEST_CASE("a run that failed is tried again every five minutes", "[trigger]") {
  Clockwork clock;
  Wish wish{"a", Cause::drift, "x", 100};
  CHECK(clock.run({wish}, 1s).size() == 1);
  wish.looked_at = 0;
  CHECK(clock.run({wish}, 6000s).size() == 26);
}

TEST_CASE("one call serves all that is due", "[trigger]") {
  Clockwork clock;
  const auto asked = clock.run({{"a", Cause::drift, "x"}, {"b", Cause::drift, "x"}}, 15s);
  CHECK(asked == std::vector<long>{0, 2, 6, 14});
}
