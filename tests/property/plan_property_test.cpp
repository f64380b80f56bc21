// SPDX-License-Identifier: Apache-2.0
// What holds for every plan, over random hosts with random policies.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "allocator/classify.hpp"
#include "policy/desired.hpp"
#include "policy/plan.hpp"
#include "policy/preload.hpp"
#include "support/catch.hpp"
#include "support/random_host.hpp"
#include "support/rounds.hpp"

namespace {

using namespace allocd;
using policy::Action;
using policy::Plan;
using policy::PlanItem;
using policy::PlanReason;
using test::HostMaker;
using test::PlanHost;

constexpr unsigned kSeed = 20250412;
constexpr int kRounds = test::rounds(1000);

// A host on which another policy was applied before, and where somebody may have spoilt what it wrote.
PlanHost lived_in_host(HostMaker& make) {
  PlanHost host = make.host();
  const auto settings = host.settings;
  host.settings = make.settings();
  host.apply(host.plan({.version = "0.9"}));
  host.settings = settings;
  if (make.one_in(2)) make.spoil_owned_files(host);
  return host;
}

PlanHost any_host(HostMaker& make) {
  return make.one_in(3) ? make.host() : lived_in_host(make);
}

std::string describe(const Plan& plan) {
  std::string all;
  for (const auto& item : plan.items) {
    all += item.target + ": " + std::string(policy::kActionNames.name(item.action)) + " " +
           std::string(policy::kPlanReasonNames.name(item.reason)) + " (" + item.sentence + ")\n";
    for (const auto& change : item.files)
      all += "  " + change.path + (change.before ? " -" : "") + (change.after ? " +" : "") + "\n";
  }
  return all;
}

std::string describe(const PlanHost& host) {
  std::string all;
  for (const auto& [path, text] : host.files) all += "==> " + path + "\n" + text;
  return all;
}

std::map<std::string, std::string> without_ours(const PlanHost& host) {
  auto files = host.files;
  std::erase_if(files, [&](const auto& file) { return host.is_ours(file.first); });
  return files;
}

std::string value_in(const unitfile::Environment& environment, std::string_view name) {
  const auto found = environment.variables.find(std::string(name));
  return found != environment.variables.end() && found->second.is_set ? found->second.value : "";
}

bool is_container(const PlanItem& item) {
  return item.target.ends_with(".container");
}

bool is_in_force(const PlanItem& item) {
  return !is_container(item) && (item.action == Action::write || item.reason == PlanReason::in_place);
}

// `wanted` occurs in `all` in its order, perhaps with others between.
bool is_subsequence(const std::vector<std::string>& wanted, const std::vector<std::string>& all) {
  auto at = all.begin();
  return std::ranges::all_of(wanted, [&](const std::string& entry) {
    at = std::find(at, all.end(), entry);
    return at != all.end();
  });
}

const settings::Service& service_of(const PlanHost& host, const std::string& name) {
  const auto& services = host.settings.services;
  const auto found = std::ranges::find(services, name, &settings::Service::name);
  REQUIRE(found != services.end());
  return *found;
}

// What the unit's own files preload, minus what ours takes the place of; each once.
std::vector<std::string> kept_entries(const std::string& before, const std::string& ours) {
  std::vector<std::string> kept;
  for (auto& entry : policy::split_preload(before)) {
    const bool is_replaced = allocator::base_name(entry) == allocator::base_name(ours);
    if (!is_replaced && std::ranges::count(kept, entry) == 0) kept.push_back(std::move(entry));
  }
  return kept;
}

void check_preload(const settings::Service& service, const std::string& before, const std::string& after) {
  if (service.allocator == settings::Wanted::glibc) {
    REQUIRE_FALSE(policy::decide_preload_kind(after));
    auto others = policy::split_preload(before);
    std::erase_if(others, [](const auto& entry) { return policy::decide_preload_kind(entry).has_value(); });
    REQUIRE(policy::split_preload(after) == others);
    return;
  }
  const auto entries = policy::split_preload(after);
  REQUIRE_FALSE(entries.empty());
  const auto& library = entries.front();
  REQUIRE(policy::decide_preload_kind(library));
  if (service.library) REQUIRE(library == *service.library);
  REQUIRE(is_subsequence(service.extra_preload, entries));
  auto kept = kept_entries(before, library);
  std::erase_if(kept,
                [&](const auto& entry) { return std::ranges::count(service.extra_preload, entry) > 0; });
  REQUIRE(is_subsequence(kept, entries));
}

}  // namespace

TEST_CASE("plan: nothing is left to do after it was applied, whatever the version", "[plan][property]") {
  HostMaker make(kSeed);
  int writes = 0;
  for (int round = 0; round < kRounds; ++round) {
    auto host = any_host(make);
    const auto plan = host.plan();
    writes += plan.has_changes() ? 1 : 0;
    const std::string before = describe(host);
    host.apply(plan);
    const auto again = host.plan({.version = "2.0~other"});
    INFO("round " << round << "\n" << before << "PLAN\n" << describe(plan) << "AGAIN\n" << describe(again));
    REQUIRE_FALSE(again.has_changes());
  }
  CHECK(writes > kRounds / 3);
}

TEST_CASE("plan: revert after apply leaves every file as it was", "[plan][property]") {
  HostMaker make(kSeed + 1);
  for (int round = 0; round < kRounds; ++round) {
    auto host = make.host();
    const auto before = host.files;
    host.apply(host.plan());
    host.settings = make.settings();
    host.apply(host.plan({.version = "2"}));
    const auto revert = policy::decide_revert(host.owned_files(), {});
    INFO("round " << round << "\n" << describe(revert));
    REQUIRE_FALSE(revert.has_blocked());
    host.apply(revert);
    REQUIRE(host.files == before);
  }
}

TEST_CASE("plan: what it promises is what systemd would compute from the files", "[plan][property]") {
  HostMaker make(kSeed + 2);
  int checked = 0;
  for (int round = 0; round < kRounds; ++round) {
    auto host = any_host(make);
    auto bare = host;  // a namesake elsewhere is hidden by ours: what it says is not the unit's
    std::erase_if(bare.files, [](const auto& file) { return test::is_owned_name(file.first); });
    const auto plan = host.plan();
    host.apply(plan);
    INFO("round " << round << "\n" << describe(plan) << describe(host));
    for (const auto& item : plan.items) {
      if (!is_in_force(item)) continue;
      for (const auto& unit : item.units) {
        const auto environment = host.environment_of(unit);
        INFO(unit);
        for (const auto& [name, value] : item.environment) REQUIRE(value_in(environment, name) == value);
        check_preload(service_of(host, item.service),
                      value_in(bare.environment_of(unit), policy::kPreloadVariable),
                      value_in(environment, policy::kPreloadVariable));
        ++checked;
      }
    }
  }
  CHECK(checked > kRounds);
}

TEST_CASE("plan: a blocked item changes nothing, and nobody else's file is ever in a change",
          "[plan][property]") {
  HostMaker make(kSeed + 3);
  int blocked = 0;
  for (int round = 0; round < kRounds; ++round) {
    auto host = any_host(make);
    const auto others = without_ours(host);
    const auto plan = host.plan();
    INFO("round " << round << "\n" << describe(host) << describe(plan));
    for (const auto& item : plan.items) {
      blocked += item.action == Action::blocked ? 1 : 0;
      const bool is_change = item.action == Action::write || item.action == Action::remove;
      REQUIRE(is_change != item.files.empty());
      REQUIRE(std::ranges::is_sorted(item.units));
      for (const auto& change : item.files) {
        REQUIRE(test::is_owned_name(change.path));
        REQUIRE(change.before.has_value() == host.files.contains(change.path));
        if (change.before) REQUIRE(host.is_ours(change.path));
        if (change.before) REQUIRE(*change.before == host.files[change.path]);
        if (change.after) REQUIRE(unitfile::decide_ownership(*change.after) == unitfile::Ownership::ours);
      }
    }
    host.apply(plan);
    REQUIRE(without_ours(host) == others);
  }
  CHECK(blocked > kRounds / 4);
}

TEST_CASE("plan: no file is in two items", "[plan][property]") {
  HostMaker make(kSeed + 4);
  for (int round = 0; round < kRounds; ++round) {
    const auto host = any_host(make);
    const auto plan = host.plan();
    INFO("round " << round << "\n" << describe(plan));
    std::vector<std::string> paths;
    for (const auto& item : plan.items) {
      for (const auto& change : item.files) {
        paths.push_back(change.path);
        REQUIRE(host::owner_of(change.path) == item.target);
      }
    }
    std::ranges::sort(paths);
    REQUIRE(std::ranges::adjacent_find(paths) == paths.end());
  }
}

TEST_CASE("plan: a stuck unit keeps what it has", "[plan][property]") {
  HostMaker make(kSeed + 5);
  for (int round = 0; round < kRounds; ++round) {
    auto host = any_host(make);
    const auto inputs = host.inputs();
    const auto plan = host.plan();
    INFO("round " << round << "\n" << describe(host) << describe(plan));
    const auto before = host.files;
    host.apply(plan);
    for (const auto& item : plan.items) {
      if (item.action != Action::blocked) continue;
      for (const auto& input : inputs) {
        if (std::ranges::count(item.units, input.name) == 0) continue;
        for (const auto& file : input.on_disk) REQUIRE(host.files[file.path] == before.at(file.path));
      }
    }
  }
}

TEST_CASE("plan: the order of units does not matter", "[plan][property]") {
  HostMaker make(kSeed + 6);
  for (int round = 0; round < kRounds; ++round) {
    const auto host = any_host(make);
    auto inputs = host.inputs();
    const auto plan = policy::decide_plan(inputs, {});
    make.shuffle(inputs);
    const auto shuffled = policy::decide_plan(inputs, {});
    INFO("round " << round << "\n" << describe(plan) << "SHUFFLED\n" << describe(shuffled));
    REQUIRE(shuffled == plan);
  }
}

TEST_CASE("plan: without a policy exactly our files go", "[plan][property]") {
  HostMaker make(kSeed + 7);
  for (int round = 0; round < kRounds; ++round) {
    auto host = make.host();
    const auto before = host.files;
    host.apply(host.plan());
    if (make.one_in(2)) host.units.clear();  // gone, or not loaded
    host.settings.services.clear();
    const auto plan = host.plan();
    INFO("round " << round << "\n" << describe(plan));
    REQUIRE_FALSE(plan.has_blocked());
    host.apply(plan);
    REQUIRE(host.files == before);
  }
}

TEST_CASE("plan: --force takes back what was edited, and nothing that was never ours", "[plan][property]") {
  HostMaker make(kSeed + 8);
  for (int round = 0; round < kRounds; ++round) {
    auto host = lived_in_host(make);
    const auto plan = host.plan({.version = "1", .take_tampered = true});
    INFO("round " << round << "\n" << describe(plan));
    for (const auto& item : plan.items) {
      REQUIRE(item.reason != PlanReason::tampered);
      for (const auto& change : item.files) {
        if (!change.before) continue;
        REQUIRE_FALSE(host.irregular.contains(change.path));
        REQUIRE(unitfile::decide_ownership(*change.before) != unitfile::Ownership::foreign);
      }
    }
    host.apply(plan);
    REQUIRE_FALSE(host.plan({.version = "1", .take_tampered = true}).has_changes());
  }
}
