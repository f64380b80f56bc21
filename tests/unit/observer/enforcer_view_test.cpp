// SPDX-License-Identifier: Apache-2.0
#include "observer/enforcer_view.hpp"

#include "support/catch.hpp"
#include "unit_tree.hpp"

using namespace allocd;
using observer::EnforcerView;
using policy::DropInPhase;
using policy::FusePhase;

namespace {

const std::string kManifest = "/state/manifest.json";

enforcer::Manifest manifest_with(const std::string& target, const std::string& unit, FusePhase phase) {
  enforcer::Manifest manifest;
  manifest.applied_total = 3;
  manifest.last_run.at = 1000;
  manifest.last_run.verb = "apply";
  auto& record = manifest.targets[target];
  record.paths = {test::kOurs};
  record.applied_at = 900;
  record.units[unit].fuse = {.phase = phase, .invocation = "before", .restarts = 1, .up_since = 0, .why = ""};
  return manifest;
}

class View : public test::UnitTree {
 public:
  void remember(const enforcer::Manifest& manifest) const {
    write(kManifest, enforcer::render_manifest(manifest));
  }
  snapshot::DropIn drop_in() {
    view.refresh();
    snapshot::DropIn found;
    if (const auto* record = view.find(facts)) observer::describe_drop_in(*record, facts, found);
    return found;
  }
  EnforcerView view{root, "/state"};
};

}  // namespace

TEST_CASE("no manifest is an empty one, and a broken one a problem", "[enforcer_view]") {
  View it;
  it.view.refresh();
  CHECK(it.view.summary().known);
  CHECK(it.view.summary().applied_total == 0);
  CHECK(it.view.problem().empty());
  it.write(kManifest, "{\"targets\": 3");
  it.view.refresh();
  CHECK_FALSE(it.view.summary().known);
  CHECK_FALSE(it.view.problem().empty());
  CHECK(it.view.find(it.facts) == nullptr);
  it.remember(manifest_with("vllm.service", "vllm.service", FusePhase::settled));
  it.view.refresh();
  CHECK(it.view.problem().empty());
  CHECK(it.view.summary().applied_total == 3);
  CHECK(it.view.summary().last_run_verb == "apply");
  it.remove(kManifest);
  it.view.refresh();
  CHECK(it.view.summary().known);
  CHECK(it.view.find(it.facts) == nullptr);
}

TEST_CASE("the phase of a unit, and whether it has started since", "[enforcer_view]") {
  View it;
  CHECK(it.drop_in().phase == DropInPhase::none);
  it.remember(manifest_with("vllm.service", "vllm.service", FusePhase::waiting));
  it.facts.invocation_id = "before";
  it.facts.restarts = 1;
  CHECK(it.drop_in().phase == DropInPhase::waiting);
  CHECK(it.drop_in().applied_at == 900);
  CHECK_FALSE(it.drop_in().restarted);
  it.facts.restarts = 2;
  CHECK(it.drop_in().restarted);
  it.facts.restarts = 1;
  it.facts.invocation_id = "after";
  CHECK(it.drop_in().restarted);
  it.facts.invocation_id.clear();  // down
  CHECK_FALSE(it.drop_in().restarted);
  it.remember(manifest_with("vllm.service", "vllm.service", FusePhase::settled));
  it.facts.invocation_id = "after";
  CHECK(it.drop_in().phase == DropInPhase::settled);
  CHECK_FALSE(it.drop_in().restarted);
}

TEST_CASE("an instance is found under its template, and a latch says so", "[enforcer_view]") {
  View it;
  auto manifest = manifest_with("vllm@.service", "vllm@b.service", FusePhase::waiting);
  it.remember(manifest);
  it.facts.name = "vllm@a.service";
  CHECK(it.drop_in().phase == DropInPhase::none);
  CHECK(it.drop_in().applied_at == 900);
  manifest.targets["vllm@.service"].rolled_back = "vllm@b.service: it failed";
  it.remember(manifest);
  CHECK(it.drop_in().phase == DropInPhase::rolled_back);
  CHECK(it.drop_in().applied_at == 0);
  it.facts.name = "other.service";
  CHECK(it.drop_in().phase == DropInPhase::none);
}
