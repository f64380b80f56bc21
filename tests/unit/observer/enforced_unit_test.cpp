// SPDX-License-Identifier: Apache-2.0
// A unit under an enforced policy, as samples show it: its files, our drop-in, what the enforcer remembers.
#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "enforcer/manifest.hpp"
#include "observer/enforcement_trigger.hpp"
#include "observer/sampler.hpp"
#include "support/catch.hpp"
#include "unit_tree.hpp"

using namespace allocd;
using policy::DropInPhase;
using policy::DropInState;
using policy::Reason;
using policy::State;

namespace {

const std::string kPreload = "Environment=LD_PRELOAD=/usr/lib/libjemalloc.so.2";
const std::string kManifest = std::string(enforcer::kStateDirectory) + "/" + enforcer::kManifestName;

class Enforced : public test::UnitTree {
 public:
  Enforced() {
    settings::Service service;
    service.name = "vllm";
    service.selectors = {{settings::SelectorKind::unit, "vllm.service", {}}};
    service.allocator = settings::Wanted::jemalloc;
    service.mode = settings::Mode::enforce;
    settings_.services.push_back(service);
    bus_.connected = bus_.complete = true;
  }
  const snapshot::Unit& sample() {
    snapshot_ = sampler_.sample(settings_, {{facts.name, facts}}, bus_, observer::Clock::now());
    REQUIRE(snapshot_.units.size() == 1);
    return snapshot_.units.front();
  }
  [[nodiscard]] const snapshot::Collector& collector() const {
    const auto found = std::ranges::find(snapshot_.collectors, "enforcement", &snapshot::Collector::name);
    REQUIRE(found != snapshot_.collectors.end());
    return *found;
  }
  void remember(const enforcer::Manifest& manifest) const {
    write(kManifest, enforcer::render_manifest(manifest));
  }
  observer::Sampler& sampler() { return sampler_; }
  settings::Settings& settings() { return settings_; }
  [[nodiscard]] const snapshot::Snapshot& whole() const { return snapshot_; }

 private:
  static observer::EvidencePool::Read never() {
    return [](const allocator::ProcessHandle&, observer::Want, const allocator::KeepGoing&) {
      return observer::Reading{};
    };
  }
  settings::Settings settings_;
  host::BusState bus_;
  observer::EvidencePool pool_{never(), std::chrono::hours(1)};
  observer::Sampler sampler_{root, pool_};
  snapshot::Snapshot snapshot_;
};

enforcer::Manifest applied() {
  enforcer::Manifest manifest;
  manifest.applied_total = 1;
  auto& record = manifest.targets["vllm.service"];
  record.paths = {test::kOurs};
  record.applied_at = 900;
  record.units["vllm.service"].fuse.phase = policy::FusePhase::waiting;
  return manifest;
}

}  // namespace

TEST_CASE("an enforced unit shows its drop-in from nothing to applied to edited", "[enforced]") {
  Enforced it;
  CHECK(it.sample().mode == settings::Mode::enforce);
  CHECK(it.sample().drop_in.state == DropInState::absent);
  CHECK(it.sample().drop_in.path == test::kOurs);
  CHECK(it.sample().environment.known);
  CHECK(it.collector().success);

  it.apply({"[Service]", kPreload});
  it.facts.environment = {"LD_PRELOAD=/usr/lib/libjemalloc.so.2"};
  it.remember(applied());
  const auto& unit = it.sample();
  CHECK(unit.drop_in.state == DropInState::intact);
  CHECK(unit.drop_in.loaded);
  CHECK(unit.drop_in.applied_at == 900);
  CHECK(unit.drop_in.phase == DropInPhase::waiting);
  REQUIRE(unit.environment.variables.size() == 1);
  CHECK(unit.environment.variables[0].contributions[0].path == test::kOurs);
  CHECK(unit.assessment.chain[1].evidence.find("is set by " + test::kOurs + ":") != std::string::npos);
  CHECK(it.whole().enforcer.applied_total == 1);

  // Gone while the enforcer is at work: it took it itself. Gone else: it still counts as applied.
  auto working = applied();
  working.reload_needed = true;
  it.remember(working);
  CHECK(it.sample().drop_in.applied_at == 900);
  it.remove(test::kOurs);
  CHECK(it.sample().drop_in.applied_at == 0);
  it.remember(applied());
  CHECK(it.sample().drop_in.applied_at == 900);
  CHECK(it.sample().assessment.chain[1].verdict == policy::Verdict::fails);

  it.write(test::kOurs, test::owned_text({"[Service]", kPreload}) + "#\n");
  CHECK(it.sample().drop_in.state == DropInState::tampered);
  CHECK(it.sampler().drop_in_directories().contains("/etc/systemd/system/vllm.service.d"));
}

TEST_CASE("only MALLOC_CONF changes: drift, then a restart that is due", "[enforced]") {
  Enforced it;
  const std::string conf = "Environment=MALLOC_CONF=narenas:2";
  it.facts.environment = {"LD_PRELOAD=/usr/lib/libjemalloc.so.2"};
  it.apply({"[Service]", kPreload});
  CHECK(it.sample().assessment.chain[1].verdict == policy::Verdict::holds);
  it.settings().services.front().malloc_conf = "narenas:2";
  CHECK(it.sample().assessment.chain[1].verdict == policy::Verdict::fails);
  const auto causes = [&] {
    std::vector<observer::Cause> found;
    for (const auto& wish : observer::list_wishes(it.whole(), it.settings(), it.sampler().grounds(), {}))
      found.push_back(wish.cause);
    return found;
  };
  CHECK(std::ranges::count(causes(), observer::Cause::drift) == 1);

  it.apply({"[Service]", kPreload, conf});
  CHECK(it.sample().assessment.chain[2].verdict == policy::Verdict::fails);
  it.facts.environment.emplace_back("MALLOC_CONF=narenas:2");
  it.remember(applied());
  CHECK(it.sample().assessment.chain[1].verdict == policy::Verdict::holds);
  CHECK(it.sample().assessment.chain[2].verdict == policy::Verdict::holds);
  CHECK(std::ranges::count(causes(), observer::Cause::drift) == 0);
}

TEST_CASE("a quadlet is judged by what its container is started with", "[enforced]") {
  Enforced it;
  const std::string quadlet = "/etc/containers/systemd/vllm.container";
  const std::string ours = quadlet + ".d/zz-allocd.conf";
  it.write(quadlet, "[Container]\nImage=image\nEnvironment=A=1\n");
  it.facts.source_path = quadlet;
  it.facts.fragment_path = "/run/systemd/generator/vllm.service";
  it.write(it.facts.fragment_path, "[Service]\nExecStart=/usr/bin/podman run --env A=1 image\n");
  it.facts.exec_start = {{"/usr/bin/podman", "run", "--env", "A=1", "image"}};
  const auto verdict = [&](std::size_t link) { return it.sample().assessment.chain.at(link).verdict; };
  CHECK(verdict(1) == policy::Verdict::fails);
  const auto causes = [&] {
    std::vector<observer::Cause> found;
    for (const auto& wish : observer::list_wishes(it.whole(), it.settings(), it.sampler().grounds(), {}))
      found.push_back(wish.cause);
    return found;
  };
  CHECK(std::ranges::count(causes(), observer::Cause::drift) == 1);

  // On disk, and podman's generator has not run since.
  it.write(ours, test::owned_text({"[Container]", kPreload}));
  it.sampler().distrust_files();
  CHECK(it.sample().drop_in.path == ours);
  CHECK(it.sample().drop_in.state == DropInState::intact);
  CHECK_FALSE(it.sample().drop_in.loaded);
  CHECK(verdict(1) == policy::Verdict::holds);
  CHECK(verdict(2) == policy::Verdict::fails);

  it.facts.exec_start = {
      {"/usr/bin/podman", "run", "--env", "A=1", "--env", "LD_PRELOAD=/usr/lib/libjemalloc.so.2", "image"}};
  CHECK(it.sample().drop_in.loaded);
  CHECK(verdict(1) == policy::Verdict::holds);
  CHECK(verdict(2) == policy::Verdict::holds);
  CHECK(std::ranges::count(causes(), observer::Cause::drift) == 0);
  REQUIRE(it.sample().environment.variables.size() == 1);
  CHECK(it.sample().environment.variables[0].contributions[0].path == ours);
}

TEST_CASE("what the enforcer remembers of a start decides on the age of variables", "[enforced]") {
  snapshot::Unit unit;
  unit.drop_in.state = DropInState::intact;
  unit.drop_in.loaded = true;
  host::UnitFacts facts;
  facts.name = "vllm.service";
  const auto start_in = [&](policy::FusePhase phase, const std::string& invocation = "") {
    auto record = applied().targets["vllm.service"];
    record.units["vllm.service"].fuse.phase = phase;
    facts.invocation_id = invocation;
    policy::UnitSetting setting;
    observer::add_record(record, facts, setting, unit);
    return setting.start;
  };
  using policy::FusePhase;
  using policy::KnownStart;
  CHECK(start_in(FusePhase::waiting) == KnownStart::before);
  CHECK(start_in(FusePhase::waiting, "another") == KnownStart::after);
  CHECK(start_in(FusePhase::settling) == KnownStart::after);
  CHECK(start_in(FusePhase::settled) == KnownStart::after);
  CHECK(start_in(FusePhase::rolled_back) == KnownStart::unknown);
  unit.drop_in.state = DropInState::tampered;
  CHECK(start_in(FusePhase::waiting) == KnownStart::unknown);
}

TEST_CASE("a unit rolled back says why, once its files are gone", "[enforced]") {
  Enforced it;
  auto manifest = applied();
  manifest.targets["vllm.service"].rolled_back = "vllm.service: it keeps ending";
  it.remember(manifest);
  it.apply({"[Service]", kPreload});
  it.facts.environment = {"LD_PRELOAD=/usr/lib/libjemalloc.so.2"};
  CHECK(it.sample().assessment.state != State::rolled_back);
  CHECK(it.sample().drop_in.phase == DropInPhase::rolled_back);
  it.remove(test::kOurs);
  it.facts.drop_in_paths.clear();
  it.facts.environment.clear();
  CHECK(it.sample().assessment.state == State::rolled_back);
  CHECK(it.sample().assessment.reason == Reason::fuse);
  manifest.targets["vllm.service"].rolled_back = enforcer::kRevertedByHand;
  it.remember(manifest);
  CHECK(it.sample().assessment.reason == Reason::reverted_by_hand);
}

TEST_CASE("a broken manifest is an error of the collector, and the units are judged without it",
          "[enforced]") {
  Enforced it;
  it.write(kManifest, "}");
  CHECK(it.sample().drop_in.phase == DropInPhase::none);
  CHECK_FALSE(it.collector().success);
  CHECK(it.collector().last_error.find("manifest") != std::string::npos);
  CHECK_FALSE(it.whole().enforcer.known);
  it.remove(kManifest);
  static_cast<void>(it.sample());
  CHECK(it.collector().success);
  it.sampler().note_enforcement_problem("no watch");
  static_cast<void>(it.sample());
  CHECK(it.collector().last_error == "no watch");
}

TEST_CASE("where nothing is asked for, no file is read", "[enforced]") {
  Enforced it;
  it.settings().services[0].allocator = settings::Wanted::any;
  it.apply({"[Service]", kPreload});
  CHECK_FALSE(it.sample().environment.known);
  CHECK(it.sample().drop_in.state == DropInState::absent);
  CHECK(it.sample().mode == settings::Mode::observe);
  CHECK(it.sampler().drop_in_directories().empty());
}

TEST_CASE("what a run of the enforcer depends on is known of enforced units alone", "[enforced]") {
  Enforced it;
  it.settings().services[0].library = "/opt/absent.so";
  static_cast<void>(it.sample());
  const auto before = it.sampler().grounds().at("vllm.service");
  CHECK_FALSE(before.files.empty());
  CHECK(before.policy.empty());  // there is no such library
  CHECK(before.latched.empty());
  auto manifest = applied();
  manifest.targets["vllm.service"].digest = "then";
  it.remember(manifest);
  static_cast<void>(it.sample());
  CHECK(it.sampler().grounds().at("vllm.service") == before);
  manifest.targets["vllm.service"].rolled_back = "vllm.service: it keeps ending";
  it.remember(manifest);
  static_cast<void>(it.sample());
  CHECK(it.sampler().grounds().at("vllm.service").latched == "then");
  it.settings().services[0].allocator = settings::Wanted::glibc;
  static_cast<void>(it.sample());
  CHECK_FALSE(it.sampler().grounds().at("vllm.service").policy.empty());
  it.settings().services[0].mode = settings::Mode::observe;
  static_cast<void>(it.sample());
  CHECK(it.sampler().grounds().empty());
}
